"""The platform: an engine behind the HTTP API that OpenAI's and Together's clients already speak.

In: HTTP requests with an API key. Out: completions, whole or as server-sent events, and errors in
the documented shape. It owns the keys, the bounds on what a caller may send, and the promise that
a generation stops when its caller leaves. Importing it needs the extra `serve`.
"""

from openhearth.errors import MissingExtra

try:
    from openhearth.platform.app import create_app
    from openhearth.platform.keys import Keys
    from openhearth.platform.server import check_port, serve
except ModuleNotFoundError as error:
    if error.name not in ("fastapi", "starlette", "uvicorn"):
        raise
    raise MissingExtra(error.name, "serve") from error

__all__ = ["Keys", "check_port", "create_app", "serve"]
