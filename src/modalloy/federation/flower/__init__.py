"""Messages of a federation carried by Flower: in this process, or between machines over TLS."""
