"""Boosting and linear models that are fitted once and kept as arrays, to be asked of any rows."""
