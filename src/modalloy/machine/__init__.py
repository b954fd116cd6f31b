"""What this machine is and allows: limits, files, hardware, a bar with the time left."""
