"""The platform: an engine behind the HTTP API that OpenAI's and Together's clients already speak.

In: HTTP requests with an API key. Out: completions, whole or as server-sent events, and errors in
the documented shape. It owns the keys, the bounds on what a caller may send, and the promise that
a generation stops when its caller leaves. Importing it needs the extra `serve`.
"""

from typing import TYPE_CHECKING

from openhearth.door import lazily

if TYPE_CHECKING:
    from openhearth.platform.app import create_app
    from openhearth.platform.keys import Keys
    from openhearth.platform.port import check_port
    from openhearth.platform.server import serve
    from openhearth.platform.tls import Tls

__all__ = ["Keys", "Tls", "check_port", "create_app", "serve"]

NEEDED = (
    "alembic",
    "fastapi",
    "prometheus_client",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)

__getattr__ = lazily(
    __name__,
    {
        "Keys": "keys",
        "Tls": "tls",
        "check_port": "port",
        "create_app": "app",
        "serve": "server",
    },
    extras=dict.fromkeys(NEEDED, "serve"),
)
