"""Drawing: cells that a run makes up, whole or from where a given one was cut off."""
