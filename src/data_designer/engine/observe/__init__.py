"""Folds over the events of a run: progress, metrics and accounts."""
