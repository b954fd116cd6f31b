"""Whether a row is unlike anything that was learned from, as a whole and column by column."""
