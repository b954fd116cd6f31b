"""What the weld twin is like, and what can be learned and decided by its rows."""
