"""Enumerations that users import from here."""
