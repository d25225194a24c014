"""How a plan is run, without Ray."""
