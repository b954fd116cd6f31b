"""The twin of a laser weld: a moving heat source, seen by a camera, a microphone and an operator."""
