"""Answers of a run: the loader, what it keeps, and what a run says of a table."""
