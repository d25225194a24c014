"""Errors of samplers, where users import them from."""

from data_designer.errors import InvalidSamplerParamsError, PersonSamplerConstraintsError

__all__ = ["InvalidSamplerParamsError", "PersonSamplerConstraintsError"]
