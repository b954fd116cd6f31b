"""What `check` finds before training: leaks, near-duplicates, broken files, minutes and memory."""
