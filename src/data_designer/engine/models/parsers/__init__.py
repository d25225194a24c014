"""Import paths of the public API."""
