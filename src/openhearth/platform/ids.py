"""Names of what the platform keeps."""

from __future__ import annotations

import uuid


def new_id(prefix: str) -> str:
    """One that nobody had before."""
    return f"{prefix}_{uuid.uuid4().hex}"


def may_be_id(text: str) -> bool:
    """Whether a database can be asked for it; no id of ours is anything else."""
    return text.isascii() and text.isprintable() and len(text) < 128
