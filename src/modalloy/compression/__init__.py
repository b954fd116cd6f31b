"""Makes a trained model cheaper to ask: one lever a file, each a function model -> model."""
