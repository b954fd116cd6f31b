"""Raw outputs of a network in, answers out: numpy alone, whoever ran the network."""
