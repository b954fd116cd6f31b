"""One kind of task a file: answers beside the truth in, what the page shows of them out."""
