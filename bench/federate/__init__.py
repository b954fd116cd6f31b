"""What learning between sites gives and costs."""
