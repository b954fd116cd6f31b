"""One task a file: a summary in, answers and a loss out."""
