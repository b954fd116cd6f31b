"""The weld twin: a moving heat source, and what camera, microphone and operator make of it."""
