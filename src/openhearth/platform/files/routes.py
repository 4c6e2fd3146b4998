"""`/v1/files` in both dialects, which meet on one path.

OpenAI's client sends one form with a part `file`. Together's sends a form without one, which says
what will come; is told by a redirect where to put the bytes; puts them there, without its key, so
that the address itself is the permission; and then asks whether they are in order.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.datastructures import FormData, UploadFile

from openhearth.errors import NotFound
from openhearth.platform.access import UPLOADS
from openhearth.platform.apart import Apart
from openhearth.platform.dialect import speaks_together
from openhearth.platform.errors import ApiError, ErrorDetail, bad_request
from openhearth.platform.files.checks import check_apart
from openhearth.platform.files.files import Files
from openhearth.platform.files.incoming import Incoming, incoming
from openhearth.platform.files.names import purpose_of
from openhearth.platform.files.replies import AlreadyThere, Deleted, FileList, FileReply
from openhearth.platform.files.rows import File, Owner

MOST_LISTED = 10_000
FIELDS, FIELD_BYTES = 16, 8192  # of a form, beside the file
UNSERVED = {"expires_after": "files stay until they are deleted"}
FORM = {
    "purpose": {"type": "string", "example": "fine-tune"},
    "file": {"type": "string", "format": "binary", "description": "as OpenAI's client sends it"},
    "file_name": {"type": "string", "description": "without `file`, as Together's announces it"},
    "file_type": {"type": "string", "enum": ["jsonl", "parquet", "csv"]},
    "checksum": {"type": "string", "description": "the SHA-256 of what will come"},
}
UPLOADED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": FORM, "required": ["purpose"]}
            }
        },
    }
}
PUT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


class Announced(BaseModel):
    """What Together's client says of a file before it sends it."""

    model_config = ConfigDict(extra="forbid")

    purpose: str
    file_name: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    file_type: Literal["jsonl", "parquet", "csv"]
    checksum: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def router(files: Files, apart: Apart) -> APIRouter:
    """The routes over these files, of which large ones are checked apart."""
    routes = APIRouter()

    @routes.post(
        "/v1/files",
        response_model=FileReply,
        responses={
            302: {"description": "Where to put what was announced"},
            409: {"model": AlreadyThere},
        },
        openapi_extra=UPLOADED,
    )
    async def upload(http: Request) -> Response | FileReply:
        async with http.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES) as form:
            if isinstance(form.get("file"), UploadFile):
                return FileReply.of(await _take(files, apart, form, http), speaks_together(http))
            return await _announce(files, form, http)

    @routes.put("/v1/files/uploads/{ticket}", openapi_extra=PUT)
    async def put(ticket: str, http: Request) -> FileReply:
        row = await asyncio.to_thread(files.expected, ticket)
        with incoming(row.filename, files.most_bytes) as came:
            await came.take(http.stream())
            came.match(row.sha256)
            lines = await check_apart(apart, came.path, row.purpose, row.project)
            found = await asyncio.to_thread(files.arrived, row, came, lines)
            return FileReply.of(found, together=True)

    @routes.post("/v1/files/{file}/preprocess")
    async def preprocess(file: str, http: Request) -> FileReply:
        return FileReply.of(await _found(files, file, http), together=True)

    @routes.get("/v1/files")
    async def list_files(
        http: Request,
        purpose: str | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = MOST_LISTED,
        order: Literal["asc", "desc"] = "desc",
    ) -> FileList:
        wanted = None if purpose is None else purpose_of(purpose)
        project = http.state.caller.project
        try:
            found = await asyncio.to_thread(files.list, project, wanted, after, limit + 1, order)
        except NotFound as error:
            raise bad_request("after is no id of a file.", "after", "invalid_cursor") from error
        replies = [FileReply.of(file, speaks_together(http)) for file in found[:limit]]
        return FileList(
            data=replies,
            has_more=len(found) > limit,
            first_id=replies[0].id if replies else None,
            last_id=replies[-1].id if replies else None,
        )

    @routes.get("/v1/files/{file}")
    async def retrieve(file: str, http: Request) -> FileReply:
        return FileReply.of(await _found(files, file, http), speaks_together(http))

    @routes.get("/v1/files/{file}/content", responses=CONTENT, response_class=StreamingResponse)
    async def content(file: str, http: Request) -> StreamingResponse:
        found = await _found(files, file, http)
        headers = {
            "content-length": str(found.bytes),
            "content-disposition": f"attachment; filename*=utf-8''{quote(found.filename, safe='')}",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(
            files.read(found), headers=headers, media_type="application/octet-stream"
        )

    @routes.delete("/v1/files/{file}")
    async def delete(file: str, http: Request) -> Deleted:
        found = await _found(files, file, http)
        await asyncio.to_thread(files.delete, found.id, http.state.caller.project)
        return Deleted(id=found.id)

    return routes


async def _take(files: Files, apart: Apart, form: FormData, http: Request) -> File:
    """The file that a form holds."""
    part, said = form["file"], form.get("purpose")
    assert isinstance(part, UploadFile)
    if not isinstance(said, str):
        raise bad_request("purpose is missing: say what the file is for.", "purpose")
    for name, reason in UNSERVED.items():
        if any(field.partition("[")[0] == name for field in form):
            message = f"{name} is not supported by this server: {reason}."
            raise bad_request(message, name, "unsupported_parameter")
    made = hasattr(http.state, "job")
    purpose, owner = said if made else purpose_of(said), http.state.caller
    with incoming(part.filename or "", files.most_bytes) as came:
        await asyncio.to_thread(came.copy, part.file)
        if made:
            return await asyncio.to_thread(_keep_once, files, came, purpose, owner)
        lines = await check_apart(apart, came.path, purpose, owner.project)
        return await asyncio.to_thread(files.add, came, lines=lines, purpose=purpose, owner=owner)


def _keep_once(files: Files, came: Incoming, purpose: str, owner: Owner) -> File:
    """A job that is carried out again makes the same once more."""
    found = files.find(came.sha256, purpose, owner.project)
    return found or files.keep(came, purpose=purpose, owner=owner)


async def _announce(files: Files, form: FormData, http: Request) -> Response:
    """Where to put the content of the file that a form describes."""
    announced, caller = _announced(form), http.state.caller
    purpose = purpose_of(announced.purpose)
    there = await asyncio.to_thread(files.find, announced.checksum, purpose, caller.project)
    if there is not None:
        return _already(there)
    file, ticket = await asyncio.to_thread(
        files.expect, announced.file_name, purpose, announced.checksum, caller
    )
    address = f"{str(http.base_url).rstrip('/')}{UPLOADS}{ticket}"
    return Response(status_code=302, headers={"location": address, "x-together-file-id": file})


def _announced(form: FormData) -> Announced:
    try:
        return Announced.model_validate(dict(form))
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]).encode("utf-8", "replace").decode()
        missing = " Send the file as the part `file`, or announce it as Together's client does."
        raise bad_request(f"{field}: {first['msg']}.{missing}", field) from error


def _already(file: File) -> JSONResponse:
    message = f"This content is the file {file.id} already: use that."
    reply = AlreadyThere(file_id=file.id, error=ErrorDetail(message=message, code="file_exists"))
    # The clients would try a 409 again.
    return JSONResponse(reply.model_dump(), 409, {"x-should-retry": "false"})


async def _found(files: Files, file: str, http: Request) -> File:
    try:
        return await asyncio.to_thread(files.get, file, http.state.caller.project)
    except NotFound as error:
        raise ApiError(404, str(error), param="id", code="file_not_found") from error
