"""One task a file: a summary in, raw outputs and a loss out."""
