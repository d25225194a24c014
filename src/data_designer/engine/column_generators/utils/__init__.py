"""Where users import errors of columns from."""
