"""Builds candidates of one graph in a process of their own: one engine a file, bytes in and out."""
