"""Honest figures of answers beside the truth."""
