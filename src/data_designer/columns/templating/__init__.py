"""Jinja templates over records: checked, compiled, rendered within bounds."""
