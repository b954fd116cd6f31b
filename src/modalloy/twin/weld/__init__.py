"""The twin of a laser weld: a moving heat source, and what camera, microphone and operator see."""
