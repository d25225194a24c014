"""How a tool that a model calls is reached: servers that speak MCP. Nothing here knows of columns."""
