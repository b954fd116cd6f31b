"""One modality a file: arrays become tokens."""
