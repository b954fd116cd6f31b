"""Learning that keeps single rows, or groups of them, private: gradients of rows, clipped and
noised, what that promises, and an attack that tries it.
"""
