"""How a tool that a model calls is reached: servers that speak MCP. Async; knows nothing of columns or rows."""
