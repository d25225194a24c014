"""What goes to and comes from other services."""
