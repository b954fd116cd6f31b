"""True answers beside answered ones in, numbers out; no torch here."""
