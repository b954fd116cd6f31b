"""Figures of answers beside the truth, from arrays alone."""
