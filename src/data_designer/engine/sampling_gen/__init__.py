"""Where users import names of sampling from."""
