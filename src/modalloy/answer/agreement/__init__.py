"""Whether two answers to a row are the same decision, one kind of task a file."""
