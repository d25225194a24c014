"""A loopback endpoint that answers without a model. Imported only where it is asked for."""
