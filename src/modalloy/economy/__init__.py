"""Learns which columns to buy for which row, and certifies what that loses."""
