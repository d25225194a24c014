"""Where users import errors of datasets from."""
