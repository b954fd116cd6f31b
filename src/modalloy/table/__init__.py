"""A file on disk in, typed rows and arrays out; no torch in this room."""
