"""What an attacker may do to the cells of a row, and how far answers hold against it."""
