"""Folds over the events of a run: progress and metrics."""
