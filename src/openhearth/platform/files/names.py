"""Names of files and of what they are for, as callers write them and as we keep them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from openhearth.errors import UsageError

LONGEST = 200  # bytes of a name
PURPOSES = {
    "fine-tune": "fine-tune",
    "batch": "batch",
    "batch-api": "batch",
    "eval": "eval",
    "evals": "eval",
    "calibration": "calibration",
    "assistants": "assistants",
    "vision": "vision",
    "user_data": "user_data",
}
"""What may be uploaded, in the words of both APIs, and our word for it."""
TOGETHER = {"batch": "batch-api"}
OPENAI = {"eval": "evals"}
"""Where their words are not ours."""


def purpose_of(said: str) -> str:
    """Our word for a purpose.

    Raises:
        UsageError: there is no such purpose.
    """
    if said not in PURPOSES:
        raise UsageError(f"purpose is none of {', '.join(PURPOSES)}: choose one of these.")
    return PURPOSES[said]


def safe(name: str) -> str:
    """A name that is one part of a path, short, and without characters that mean something."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(c for c in last if c.isprintable()).encode(errors="ignore")[-LONGEST:]
    return clean.decode(errors="ignore").lstrip(".").strip() or "file"


def suffix_of(name: str) -> str:
    """`.jsonl` and the like; nothing where a name has no ending that is plain."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
