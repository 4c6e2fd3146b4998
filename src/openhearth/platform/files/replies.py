"""Files in the words of both APIs at once, but for those that mean something else in each."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from openhearth.platform.errors import ErrorDetail
from openhearth.platform.files.names import OPENAI, TOGETHER, suffix_of
from openhearth.platform.files.rows import File


class Report(BaseModel):
    """What was found when a file was checked; one that is wrong is not kept."""

    valid: bool = True
    nlines: int


class FileReply(BaseModel):
    """A file. `FileType` and what follows it are Together's."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"
    status_details: str | None = None
    expires_at: int | None = None
    FileType: str = Field(description="The ending of the name.")
    processing_status: Literal["COMPLETED"] = "COMPLETED"
    validation_report: Report | None

    @classmethod
    def of(cls, file: File, together: bool) -> FileReply:
        """Of a file, for one of the clients."""
        words = TOGETHER if together else OPENAI
        return cls(
            id=file.id,
            bytes=file.bytes,
            created_at=file.created,
            filename=file.filename,
            purpose=words.get(file.purpose, file.purpose),
            FileType=suffix_of(file.filename).lstrip(".") or "jsonl",
            validation_report=None if file.lines is None else Report(nlines=file.lines),
        )


class FileList(BaseModel):
    """Files; Together's client reads `data` alone, and wants all of them."""

    object: Literal["list"] = "list"
    data: list[FileReply]
    has_more: bool
    first_id: str | None
    last_id: str | None


class Deleted(BaseModel):
    """A file is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class AlreadyThere(BaseModel):
    """What Together's client understands as `you have sent this before`."""

    file_id: str
    error: ErrorDetail
