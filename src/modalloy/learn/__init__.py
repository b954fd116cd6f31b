"""The verbs that change weights."""
