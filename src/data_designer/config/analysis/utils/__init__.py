"""Errors of reports, where users import them from."""
