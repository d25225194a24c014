"""The parts of the report, each in a module of its own: a function from the facts to what its template draws."""
