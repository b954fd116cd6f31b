"""Models that stand in for a simulator: outputs of designs, and how sure each of them is."""
