"""Folds over the events of a run: progress, metrics and accounts; and what the accounts advise."""
