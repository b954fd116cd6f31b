"""A model as one file that runs without torch: what lies in it, and how it is checked."""
