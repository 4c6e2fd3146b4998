"""What these routes share: who asks, texts that any database takes, lists, and the 404."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Depends, Query
from fastapi import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from openhearth.platform.caller import Caller
from openhearth.platform.errors import ApiError

T = TypeVar("T", bound=BaseModel)

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=PRINTABLE)
]
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$",
    ),
]
After = Annotated[str | None, Query(description="The id after which the page begins.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Most entries of the page.")]


class Body(BaseModel):
    """A body of a request. Fields that it does not have are errors: a limit with a slip of the pen
    would be no limit.
    """

    model_config = ConfigDict(extra="forbid")


class Listing(BaseModel, Generic[T]):
    """A page, as OpenAI's client goes on from it."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, data: list[T], ids: list[str], more: bool) -> Listing[T]:
        """A page of replies with these ids."""
        return cls(
            data=data,
            first_id=ids[0] if ids else None,
            last_id=ids[-1] if ids else None,
            has_more=more,
        )


class Deleted(BaseModel):
    """It is gone."""

    id: str
    object: str
    deleted: Literal[True] = True


async def _caller(http: HttpRequest) -> Caller:
    return http.state.caller


Asking = Annotated[Caller, Depends(_caller)]
Seconds = Annotated[int, Field(ge=1, le=10 * 365 * 24 * 3600)]


def unknown(what: str, identifier: str) -> ApiError:
    """A 404, in the same words for what never was and what belongs to others."""
    return ApiError(404, f"There is no {what} {identifier!r} here.", code="not_found")
