"""A served model's folder: its versions, its history, and the rows that it answered."""
