"""What writes texts from a row: decoders, what they may write, and how pieces are chosen."""
