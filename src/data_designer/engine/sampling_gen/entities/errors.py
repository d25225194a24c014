"""Errors of persons, where users import them from."""

from data_designer.errors import MissingPersonFieldsError

__all__ = ["MissingPersonFieldsError"]
