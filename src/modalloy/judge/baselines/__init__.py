"""The simple methods that a model must beat, as a careful engineer would run them."""
