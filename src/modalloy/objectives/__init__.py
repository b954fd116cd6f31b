"""A model and a batch in, named losses out."""
