"""Cells as arrays, as training fitted it; numpy alone, shared by training and serving."""
