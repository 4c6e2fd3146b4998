"""Names of what the platform keeps."""

from __future__ import annotations

import re
import time
import uuid

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_id(prefix: str, joint: str = "_") -> str:
    """One that nobody had before: the time in microseconds, by which what is as old to the second
    has an order, and 72 random bits.
    """
    return f"{prefix}{joint}{time.time_ns() // 1000:014x}{uuid.uuid4().hex[-18:]}"


def may_be_id(text: str) -> bool:
    """Whether that could be an id at all. Databases refuse some characters with an error."""
    return ID.fullmatch(text) is not None
