"""Robust accuracy of small networks before and after `harden`."""
