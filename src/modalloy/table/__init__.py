"""Any table on disk as typed rows."""
