"""Recordings as text: what is said in them, by a pretrained network, kept by the files' content."""
