"""Small layers that encoders, fusions and heads share."""
