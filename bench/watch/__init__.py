"""How much drift `watch` finds, how often it is wrong, and how good its estimates are."""
