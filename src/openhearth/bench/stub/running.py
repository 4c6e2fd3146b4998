"""A stub in a process of its own, for as long as a block lasts."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openhearth.bench.stub.truth import Truth
from openhearth.errors import HearthError
from openhearth.processes import attached


@contextmanager
def stub(truth: Truth | None = None) -> Iterator[str]:
    """The URL of a server of this truth, without `/v1`.

    Raises:
        HearthError: it does not start.
    """
    command = [sys.executable, "-m", "openhearth.bench.stub", "--truth", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(attached(command), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with process.stdin as told:
                told.write((truth or Truth()).model_dump_json())
            url = process.stdout.readline().strip()
            if not url:
                raise HearthError("The stub did not start: see its message above.")
            yield url
        finally:
            process.terminate()


def log_of(url: str, ca: Path | None = None) -> list[dict[str, Any]]:
    """What a stub has done, a request each (`work.Entry`), in the order in which they came."""
    context = ssl.create_default_context(cafile=ca) if url.startswith("https") else None
    without_proxies = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with without_proxies.open(f"{url}/stub/log", timeout=30) as answer:
        return json.load(answer)
