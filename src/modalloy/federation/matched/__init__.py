"""The same parts at several sites: each encodes its own columns, one holds the answers."""
