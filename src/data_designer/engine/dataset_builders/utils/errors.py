"""Errors of compiling, where users import them from."""

from data_designer.errors import ConfigCompilationError, DAGCircularDependencyError

__all__ = ["ConfigCompilationError", "DAGCircularDependencyError"]
