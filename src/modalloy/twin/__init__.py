"""Digital twins: what they are, plans of runs, how these are run and recorded, two that ship."""
