"""Logs as JSON, a line for each record, with the request that it belongs to.

What is written is chosen here, field by field: no header, no query and no body is ever among it.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from starlette.types import ASGIApp, Receive, Scope, Send

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
FIELDS = ("method", "route", "status", "seconds", "request_id")


class InRequest:
    """ASGI middleware within the guard: what is logged below knows the request's id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id.set(scope.get("state", {}).get("request_id"))
        await self.app(scope, receive, send)


class JsonLines(logging.Formatter):
    """Records as objects."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None})


def log_as_json(level: int = logging.INFO, to: TextIO = sys.stderr) -> None:
    """Write what OpenHearth and uvicorn log as JSON, here and nowhere else."""
    handler = logging.StreamHandler(to)
    handler.setFormatter(JsonLines())
    for name in ("openhearth", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
