"""How a request reaches a model. Async; knows nothing of columns."""
