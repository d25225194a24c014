"""Errors of parsers, where users import them from."""

from data_designer.errors import ParserException

__all__ = ["ParserException"]
