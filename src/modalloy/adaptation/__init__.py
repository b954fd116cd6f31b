"""A finished run brought to rows of another kind: fine-tuned on labelled ones, or unlabelled."""
