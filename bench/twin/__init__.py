"""What designs, settings and twins are worth: a bracket, a weld, and bicycle frames."""
