"""A file on disk in, typed rows out; no torch in this room."""
