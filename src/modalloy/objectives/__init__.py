"""What a training minimises: named losses of a model on a batch."""
