"""Ways to learn a rule of buying, a file each with the same outline."""
