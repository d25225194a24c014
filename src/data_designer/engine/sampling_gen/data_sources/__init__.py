"""Where users import errors of samplers from."""
