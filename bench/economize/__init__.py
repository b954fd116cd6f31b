"""What buying columns row by row saves and loses, and what a bandit finds among ways to fuse."""
