"""What of each kind of column can be hidden from a row and rebuilt, one kind a file."""
