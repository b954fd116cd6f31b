"""A stock that is run period by period: orders in, what it costs and how much is served out."""
