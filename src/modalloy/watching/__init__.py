"""Whether a model still sees what it learned from, how well it still answers, and since when not."""
