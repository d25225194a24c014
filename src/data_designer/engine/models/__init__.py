"""Where users import errors of models from."""
