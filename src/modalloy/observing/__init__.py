"""What is watched of rows - their cells, what encoders make of them, answers - and what a run keeps
of those that it learned from, to compare others with."""
