"""Which licence a text is, by sentences that only it has, as SPDX identifiers.

A source file is under the licence that lies nearest above it, in a file of its own or in the
description of the project. If several lie there, all are said to hold. What was found is remembered
for a minute, so that a folder is listed once and not for every file in it.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import fsspec

LARGEST = 256 << 10  # bytes of a licence, or of a project's description
MOST_FOLDERS = 4096  # that are remembered
REMEMBERED = 60  # seconds
DEEPEST = 64  # folders above a file
# All phrases must be there: in lower case, of letters, digits and dots; `v 2` is any version 2.
PHRASES = {
    "0BSD": ("this software for any purpose with or without fee is hereby granted",),
    "AGPL-3.0": ("gnu affero general public license v 3 19 november 2007",),
    "Apache-2.0": ("apache license v 2.0",),
    "Artistic-2.0": ("the artistic license 2.0",),
    "BSD-2-Clause": ("redistribution and use in source and binary forms",),
    "BSD-3-Clause": ("redistribution and use in source and binary forms", "endorse or promote"),
    "BSD-4-Clause": ("redistribution and use in source and binary forms", "advertising materials"),
    "BSL-1.0": ("boost software license v 1.0",),
    "CC-BY-4.0": ("attribution 4.0 international",),
    "CC-BY-NC-4.0": ("attribution noncommercial 4.0 international",),
    "CC-BY-NC-SA-4.0": ("attribution noncommercial sharealike 4.0 international",),
    "CC-BY-SA-3.0": ("attribution sharealike 3.0",),
    "CC-BY-SA-4.0": ("attribution sharealike 4.0 international",),
    "CC0-1.0": ("cc0 1.0 universal",),
    "EPL-1.0": ("eclipse public license v 1.0",),
    "EPL-2.0": ("eclipse public license v 2.0",),
    "EUPL-1.2": ("european union public licence v 1.2",),
    "GFDL-1.2": ("gnu free documentation license v 1.2 november 2002",),
    "GFDL-1.3": ("gnu free documentation license v 1.3 3 november 2008",),
    "GPL-1.0": ("gnu general public license v 1 february 1989",),
    "GPL-2.0": ("gnu general public license v 2 june 1991",),
    "GPL-3.0": ("gnu general public license v 3 29 june 2007",),
    "ISC": (
        "this software for any purpose with or without fee is hereby granted",
        "this permission notice appear in all copies",
    ),
    "LGPL-2.0": ("gnu library general public license v 2 june 1991",),
    "LGPL-2.1": ("gnu lesser general public license v 2.1 february 1999",),
    "LGPL-3.0": ("gnu lesser general public license v 3 29 june 2007",),
    "MIT": (
        "permission is hereby granted free of charge to any person obtaining a copy",
        "permission notice shall be included",
    ),
    "MIT-0": ("permission is hereby granted free of charge to any person obtaining a copy",),
    "MPL-1.1": ("mozilla public license v 1.1",),
    "MPL-2.0": ("mozilla public license v 2.0",),
    "PSF-2.0": ("python software foundation license v 2",),
    "PostgreSQL": ("without fee and without a written agreement is hereby granted",),
    "Unlicense": ("this is free and unencumbered software released into the public domain",),
    "WTFPL": ("do what the fuck you want to public license",),
    "Zlib": ("altered source versions must be plainly marked as such",),
}
# What has the phrases of another, and more.
STRICTER = {
    "0BSD": {"ISC"},
    "BSD-2-Clause": {"BSD-3-Clause", "BSD-4-Clause"},
    "BSD-3-Clause": {"BSD-4-Clause"},
    "MIT-0": {"MIT"},
}
_OTHER = re.compile(r"[^a-z0-9.]+")
_VERSION = re.compile(r"\bv(?:ersion|\.)? ?(?=\d)")
_FILE = re.compile(r"(?:licen[sc]e|copying|unlicense)(?:[.-].*)?", re.IGNORECASE)
_IDENTIFIER = r"[A-Za-z0-9][A-Za-z0-9.+-]*"
_EXPRESSION = re.compile(rf"\(*{_IDENTIFIER}(?: (?:AND|OR|WITH) \(*{_IDENTIFIER}\)*)*")
_TAG = re.compile(rf"SPDX-License-Identifier:[ \t]*({_EXPRESSION.pattern})")
Description = dict[str, Any]


def recognize(text: str) -> set[str]:
    """The SPDX identifiers of the licences that a text has in it."""
    words = _VERSION.sub("v ", _OTHER.sub(" ", text.lower()))
    found = {name for name, phrases in PHRASES.items() if all(p in words for p in phrases)}
    return {name for name in found if not found & STRICTER.get(name, set())}


def tagged(text: str) -> str:
    """What a source file says of itself in its first lines by `SPDX-License-Identifier`."""
    found = _TAG.search(text, 0, 4096)
    return found[1] if found else ""


def license_above(url: str, name: str) -> str:
    """The licence of a file at `url`, whose `name` is below the location that is being read.

    No folder outside the location is looked at. Empty if there is no licence, or an unknown one.
    """
    minute = int(time.monotonic() // REMEMBERED)
    top = len(url) - len(name) if url.endswith(name) else url.rfind("/") + 1
    folder = url
    for _ in range(DEEPEST):
        end = folder.rfind("/")
        if end < top - 1:
            break
        folder = folder[:end]
        if (found := _license_in(folder, minute)) is not None:
            return found
    return ""


@lru_cache(MOST_FOLDERS)
def _license_in(folder: str, minute: int) -> str | None:
    """The licence in a folder; empty if it cannot be known, None if there is none."""
    try:
        filesystem, path = fsspec.core.url_to_fs(folder)
        entries = filesystem.ls(path, detail=True)
        files = {
            entry["name"].rpartition("/")[2]: entry["name"]
            for entry in entries
            if entry["type"] == "file" and not entry.get("islink")
        }
        texts = [_text(filesystem, files[name]) for name in files if _FILE.fullmatch(name)]
        if texts:
            return " AND ".join(sorted(set().union(*map(recognize, texts))))
        described = (
            get(parse(_text(filesystem, files[name])))
            for name, (parse, get) in DESCRIPTIONS.items()
            if name in files
        )
        written = next((value for value in described if isinstance(value, str)), "")
        return written if _EXPRESSION.fullmatch(written) else None
    except (OSError, NotImplementedError):  # such as a folder in an archive
        return ""
    except (ValueError, TypeError, AttributeError, RecursionError):  # a broken description
        return None


def _text(filesystem: Any, path: str) -> str:
    with filesystem.open(path, "rb") as stream:
        return stream.read(LARGEST).decode("utf-8", "replace")


DESCRIPTIONS: dict[str, tuple[Callable[[str], Description], Callable[[Description], Any]]] = {
    "package.json": (json.loads, lambda described: described.get("license")),
    "Cargo.toml": (tomllib.loads, lambda described: described.get("package", {}).get("license")),
    "pyproject.toml": (
        tomllib.loads,
        lambda described: described.get("project", {}).get("license"),
    ),
}
