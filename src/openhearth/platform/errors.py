"""Errors as the OpenAI API documents them: a status, and `{"error": {message, type, param, code}}`.

Every response that is not a success is made here, also those that FastAPI would word in its own
way. The clients retry 408, 409, 429 and 5xx by themselves, so a lasting failure never has one of
those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from openhearth.errors import HearthError, NotFound, UsageError
from openhearth.inference.request import BadAdapter, BadConstraint, ContextTooLong, EngineBusy

CLIENT_CLOSED_REQUEST = 499  # nginx's word for it; nobody is there to read it


class ErrorDetail(BaseModel):
    """What went wrong; `param` names the offending parameter."""

    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None


class ErrorReply(BaseModel):
    """The body of every failed response, and of a stream's last event when it fails midway."""

    error: ErrorDetail


class ApiError(Exception):
    """A failure that the caller is told about, with its HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reply = ErrorReply(
            error=ErrorDetail(message=message, type=kind, param=param, code=code)
        )
        self.headers = {} if retry_after is None else {"retry-after": str(retry_after)}

    def response(self) -> JSONResponse:
        """The HTTP response that says so."""
        return JSONResponse(self.reply.model_dump(), self.status, self.headers)


class ClientGone(Exception):
    """The caller closed the connection before the answer was ready."""


def bad_request(message: str, param: str, code: str | None = None) -> ApiError:
    """A 400 about one parameter."""
    return ApiError(400, message, param=param, code=code)


def server_failed(where: str) -> ApiError:
    """A 500 for a bug, which tells the caller nothing but where to look."""
    return ApiError(500, f"The server failed {where}; its log says why.", kind="server_error")


def from_hearth(error: HearthError) -> ApiError:
    """The API's words for an error of the rooms above."""
    message = str(error)
    if isinstance(error, NotFound):
        return ApiError(404, message, param="model", code="model_not_found")
    if isinstance(error, BadAdapter):
        return ApiError(400, message, param="model", code="adapter_unusable")
    if isinstance(error, BadConstraint):
        return ApiError(400, message, param="response_format", code="invalid_schema")
    if isinstance(error, ContextTooLong):
        return ApiError(400, message, code="context_length_exceeded")
    if isinstance(error, UsageError):
        return ApiError(400, message)
    if isinstance(error, EngineBusy):
        return ApiError(503, message, kind="server_error", code="server_overloaded", retry_after=1)
    return ApiError(500, message, kind="server_error")


def from_validation(errors: Sequence[Any]) -> ApiError:
    """The first thing that pydantic found wrong with a body."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return ApiError(400, f"The body is not valid JSON: {first['ctx']['error']}.")
    # A lone surrogate in a key of the body could not be sent back.
    path = [str(part).encode("utf-8", "replace").decode() for part in first["loc"][1:]]
    if first["type"].startswith("union_tag"):
        return bad_request(f"{first['msg']}.", first["ctx"]["discriminator"].strip("'"))
    if not path:
        return ApiError(400, "The body must be a JSON object, with Content-Type: application/json.")
    return bad_request(f"{'.'.join(path)}: {first['msg']}.", path[0])


def install(app: FastAPI) -> None:
    """Answer every exception that a route lets out in the documented shape."""

    @app.exception_handler(ApiError)
    async def api(request: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(HearthError)
    async def hearth(request: Request, error: HearthError) -> Response:
        return from_hearth(error).response()

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        return from_validation(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        message = f"{error.detail} ({request.method} {request.url.path})."
        return ApiError(error.status_code, message).response()

    @app.exception_handler(ClientGone)
    async def gone(request: Request, error: ClientGone) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        request_id = request.state.request_id
        response = server_failed(f"on request {request_id}").response()
        response.headers["x-request-id"] = request_id
        return response
