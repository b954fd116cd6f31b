"""What is explained of each kind of task; each is a file beside this one."""
