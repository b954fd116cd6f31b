"""One route a file: what is asked of the service, and how its answer is written."""
