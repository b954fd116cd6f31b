"""Past rows by what they look, sound or read like: an index, queries, answers that cite rows."""
