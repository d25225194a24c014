"""How a plan is run on Ray: the only room that imports it."""
