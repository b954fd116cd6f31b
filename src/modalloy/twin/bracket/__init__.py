"""The bracket twin: six tubes carry a load from a wall; drawing, tap test and specification."""
