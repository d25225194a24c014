"""A server of tools as users write them, with the package `mcp`: over standard input and output, or over HTTP.

`python fast_server.py TRANSPORT PORT`. Over HTTP it wants the key `sk-tools`.
"""

import base64
import sys

import uvicorn
from mcp.server.fastmcp import FastMCP, Image
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

mcp = FastMCP("tests", log_level="ERROR")
DOT = base64.b64decode("iVBORw0KGgo=")


@mcp.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@mcp.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no")


@mcp.tool()
def dot() -> Image:
    """Draw a dot."""
    return Image(data=DOT, format="png")


@mcp.tool()
def large() -> str:
    """Say much."""
    return "x" * 20_000_000


async def _keyed(request: Request, call_next: RequestResponseEndpoint) -> Response:
    if request.headers.get("authorization") != "Bearer sk-tools":
        return JSONResponse({"error": "no"}, status_code=401)
    return await call_next(request)


if __name__ == "__main__":
    transport, port = sys.argv[1], int(sys.argv[2])
    if transport == "stdio":
        mcp.run()
    else:
        app = mcp.streamable_http_app() if transport == "streamable_http" else mcp.sse_app()
        if transport == "streamable_http":
            app.add_middleware(BaseHTTPMiddleware, dispatch=_keyed)
        uvicorn.run(app, port=port, log_level="error")
