"""Which columns a row buys: rules that see what is bought so far and say what is bought next."""
