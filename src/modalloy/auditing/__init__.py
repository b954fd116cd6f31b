"""An evidence folder of a run for a quality audit: what is known of it, gaps first, and sealed."""
