"""What is loaded, and what fits this machine: settings in, checkpoints, plans and resident models out."""
