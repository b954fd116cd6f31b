"""Sites learn one model together: their rows stay with them, what they learned travels."""
