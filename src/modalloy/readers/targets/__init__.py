"""One kind of answer a file: cells with the right answer in, arrays to learn from out."""
