"""One answer from several: a convex combination of a network and the methods beside it."""
