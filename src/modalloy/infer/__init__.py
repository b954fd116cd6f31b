"""What `init` concludes of a table: column types, tasks, the split."""
