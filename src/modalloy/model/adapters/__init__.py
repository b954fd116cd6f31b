"""Small parts that learn beside the layers of a model, merged into them or taken off."""
