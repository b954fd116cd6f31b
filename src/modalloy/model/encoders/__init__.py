"""One modality a file: arrays in, tokens out."""
