"""A folder of wheels that installs this product on a machine without a network."""
