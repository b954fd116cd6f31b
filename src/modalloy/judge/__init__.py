"""Answers beside the truth in, honest figures out."""
