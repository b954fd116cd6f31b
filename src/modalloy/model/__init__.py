"""The network: encoders, one fusion, task heads."""
