"""Where plugins import what tests them from."""
