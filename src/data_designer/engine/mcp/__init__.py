"""Names of tools where users import them from."""
