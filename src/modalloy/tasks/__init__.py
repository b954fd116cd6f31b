"""One object a kind of task: where its target, head, figures, baselines and drawings are."""
