"""The short way to write a list of blocks: `[hyena, hyena, attention] * 4 + [attention]`.

A block is a name or an object with a `name` and settings. YAML has no `*`, so such a list is a text
there; `read_yaml` lets it stand without quotation marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from openhearth.errors import UsageError
from openhearth.models.part import MOST_BLOCKS

PRODUCT = re.compile(r"^(\s*(?:- )*(?:[\w-]+:)?\s*)(\[.*\]\s*[*+][^#\n]*?)\s*(#.*)?$", re.MULTILINE)
TERM = re.compile(r"(.*?)(?:\*\s*(\d+)\s*)?", re.DOTALL)
CLOSING = {"[": "]", "{": "}"}


def read_yaml(text: str) -> Any:
    """YAML in which a list may be followed by `* n` and `+`.

    Raises:
        yaml.YAMLError: it is not that.
    """
    return yaml.safe_load(PRODUCT.sub(lambda m: f"{m[1]}{json.dumps(m[2])}", text))


def read_blocks(value: object) -> list[dict[str, Any]]:
    """Each block as an object with a `name`, in order.

    Raises:
        UsageError: it is no such list, or longer than any model.
    """
    found = list(_blocks(value))
    if not found:
        raise UsageError("There are no blocks: name at least one, as in `blocks: [attention] * 4`.")
    return found


def _blocks(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _blocks(item)
    elif isinstance(value, dict):
        yield value
    elif isinstance(value, str):
        for term in _split(value, "+"):
            yield from _repeated(term)
    else:
        raise UsageError(f"A block is a name or has one, and so is not {value!r}.")


def _repeated(term: str) -> Iterator[dict[str, Any]]:
    match = TERM.fullmatch(term)
    assert match is not None
    body, times = match[1].strip(), int(match[2] or 1)
    if times > MOST_BLOCKS:
        raise UsageError(f"{times} times is more blocks than any model has ({MOST_BLOCKS}).")
    if body.startswith("[") and body.endswith("]"):
        one = [block for item in _split(body[1:-1], ",") for block in _blocks(item)]
    elif body.startswith("{"):
        one = [*_blocks(yaml.safe_load(body))]
    elif re.fullmatch(r"\w+", body):
        one = [{"name": body}]
    else:
        raise UsageError(f"{body!r} is no block and no list of blocks.")
    for _ in range(times):
        yield from one


def _split(text: str, separator: str) -> list[str]:
    """At the separators that are in no brackets."""
    parts, open_ = [""], []
    for character in text:
        if character in CLOSING:
            open_.append(CLOSING[character])
        elif character in CLOSING.values() and (not open_ or open_.pop() != character):
            raise UsageError(f"A bracket too many in {text!r}.")
        if character == separator and not open_:
            parts.append("")
        else:
            parts[-1] += character
    if open_:
        raise UsageError(f"A bracket too few in {text!r}.")
    return [part for part in parts if part.strip()]
