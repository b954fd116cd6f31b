"""Pretrained and fixed networks under the encoders."""
