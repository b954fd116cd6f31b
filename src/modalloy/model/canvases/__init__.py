"""One modality a file: cells as patches in an order, to be predicted one after the other."""
