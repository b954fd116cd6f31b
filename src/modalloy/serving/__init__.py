"""A deployed model over HTTP: rows in, answers out, guarded, logged and swapped while it runs."""
