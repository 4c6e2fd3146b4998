"""The description of the API at `/openapi.json`: open, since it says no more than the docs do.

FastAPI makes it from the routes. What is put right here: every failure has one shape, with the
statuses that there are; each operation is called as its route is; and all but a few need a key.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from openhearth.platform.access import is_open
from openhearth.platform.errors import ErrorReply

FAILURES = {
    400: "The request makes no sense, or asks for what is not served.",
    401: "The API key is missing or wrong.",
    402: "The organisation's credits, or the key's cap, do not cover this.",
    403: "The key lacks the scope or the role that this needs.",
    404: "There is no such thing, or it is somebody else's.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    429: "Too many requests at once.",
    500: "The server failed; its log says why.",
    503: "The server has too much to do: try again in a moment.",
}
SUMMARY = "The routes of OpenAI's and Together's APIs, so that their own clients work unmodified."


def answers(whole: type[BaseModel], chunk: type[BaseModel] | None = None) -> dict[int | str, Any]:
    """What a route answers, if FastAPI is not to check it: a reply, or a stream of chunks."""
    streamed = {"text/event-stream": {"schema": {"type": "string"}}} if chunk else {}
    description = "The answer"
    if chunk is not None:
        description += f"; with `stream`, events of {chunk.__name__}: {chunk.__doc__}"
    return {200: {"model": whole, "description": description, "content": streamed}}


def install(app: FastAPI, version: str) -> None:
    """Make the application describe itself so."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=version,
                summary=SUMMARY,
                routes=app.routes,
                separate_input_output_schemas=False,
            )
            app.openapi_schema = _put_right(schema)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _put_right(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    shapes = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    error = ErrorReply.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes |= error.pop("$defs") | {"ErrorReply": error}
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            for status, description in FAILURES.items():
                operation["responses"].setdefault(str(status), _failure(description))
            operation["security"] = [] if is_open(method.upper(), path) else [{"key": []}]
    return schema


def _failure(description: str) -> dict[str, Any]:
    shape = {"schema": {"$ref": "#/components/schemas/ErrorReply"}}
    return {"description": description, "content": {"application/json": shape}}
