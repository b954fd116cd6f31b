"""What `serve` does under load: batching, a swap of the model, memory, rows that are followed."""
