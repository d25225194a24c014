"""Recorded sessions of agents as seeds: a row a file, in five formats."""
