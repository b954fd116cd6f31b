"""Runs side by side: figures on the same test rows, and what of their differences is no chance."""
