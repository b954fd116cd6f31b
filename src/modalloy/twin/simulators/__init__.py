"""One kind of simulator a file: what is wrong with it before anything runs, and one run of it."""
