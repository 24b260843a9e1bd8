"""The commands beside drawing, a module each: `parser()` says what may be typed, `run(flags)` does it."""
