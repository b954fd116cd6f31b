"""Hidden parameters of a twin from plant rows: the fit, its uncertainty, and what rows do not tell."""
