"""How a run is shown while it is under way: a panel, lines, JSON, a notebook."""

NARROWEST = 60
"""Columns of a terminal on which the panel fits."""
