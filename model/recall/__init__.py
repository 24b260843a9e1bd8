"""Plan and chronicle meet: what is remembered comes back into prompts, what happened is kept."""
