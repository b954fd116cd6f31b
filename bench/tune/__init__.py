"""What a search of a job's options is worth beside the job as it is, for the same minutes."""
