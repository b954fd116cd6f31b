"""The bracket twin as a problem: time of a run, best of a plan and a search, what a tap tells."""
