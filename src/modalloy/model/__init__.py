"""Arrays in, tokens, one summary and answers out."""
