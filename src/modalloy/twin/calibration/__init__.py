"""Hidden parameters of a twin from plant rows: fit, uncertainty, and what rows do not tell."""
