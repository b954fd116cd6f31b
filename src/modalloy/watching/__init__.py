"""Whether a model still sees what it learned from and answers well, and how it is refreshed."""
