"""Digital twins: variables, outputs and a simulator; plans of runs, and a row for each of them."""
