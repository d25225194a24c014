"""The messages that the engine's rooms exchange, and the seam between driver and executors; below all of them."""
