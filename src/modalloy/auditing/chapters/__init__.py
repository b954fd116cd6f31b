"""What an audit asks of a run, a file a chapter or two: facts, tables and gaps."""
