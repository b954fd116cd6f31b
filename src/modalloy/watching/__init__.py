"""Whether a model still sees what it learned from, how well it answers, and since when not."""
