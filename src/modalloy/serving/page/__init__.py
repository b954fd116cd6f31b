"""The page of a served model: a form from its columns, its answers, a queue of rows to label."""
