"""Where plugins import the base of processors from."""
