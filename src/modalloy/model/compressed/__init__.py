"""Layers that compression puts into a model, and how a model is built again with them."""
