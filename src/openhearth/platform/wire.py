"""The JSON of Together's second API: names in camel case, and pages with a cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from openhearth.platform.errors import bad_request

T = TypeVar("T")
MOST_LISTED = 100  # on a page


class Wire(BaseModel):
    """A body that is `camelCase` outside."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, protected_namespaces=()
    )


class Page(BaseModel, Generic[T]):
    """Some of a list, and where the next page begins."""

    data: list[T]
    next_cursor: str | None


def page(items: Sequence[T], name: Callable[[T], str], after: str | None, limit: int) -> Page[T]:
    """The page behind the item that is called `after`.

    Raises:
        ApiError: 400, there is no such item.
    """
    names = [name(item) for item in items]
    if after is not None and after not in names:
        raise bad_request(f"There is no {after!r} to go on from: begin without after.", "after")
    begin = 0 if after is None else names.index(after) + 1
    some = list(items[begin : begin + limit])
    return Page(data=some, next_cursor=names[begin + limit - 1] if names[begin + limit :] else None)
