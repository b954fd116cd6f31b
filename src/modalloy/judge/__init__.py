"""Answers in, honest figures and their page out."""
