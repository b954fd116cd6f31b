"""Whether rows are still like those of training: one test a file; numpy and scipy alone."""
