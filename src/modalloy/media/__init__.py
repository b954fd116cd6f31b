"""Files that cells name - pictures, recordings, samples of sensors - as plain arrays."""
