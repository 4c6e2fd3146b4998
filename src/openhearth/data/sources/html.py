"""The main content of HTML pages as plain text, found by resiliparse, or by trafilatura."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from openhearth.data.schema import Quarantine, Row, document
from openhearth.data.sources.extractor import FOUND, receive, send
from openhearth.data.sources.files import Errors, File
from openhearth.data.sources.text import read_bytes, source_of
from openhearth.errors import MissingExtra

RESILIPARSE, TRAFILATURA = "resiliparse", "trafilatura"
SCRIPT = Path(__file__).with_name("extractor.py")
CPU_SECONDS = 20  # for one page; time on the clock would depend on what else the machine does
EXTRAS = {RESILIPARSE: "html", TRAFILATURA: "trafilatura"}


def read(file: File, quarantine: Quarantine, extractor: str = RESILIPARSE) -> Iterator[Row]:
    """The page as a document, unless nothing of it is text.

    Raises:
        MissingExtra: the extractor is not installed.
    """
    data = read_bytes(file, quarantine)
    if data is None:
        return
    try:
        text = main_text(data, extractor)
    except Errors as error:
        quarantine.add(f"unreadable ({error})", file.name)
        return
    if text.strip():
        yield document(file.name, text, source_of(file.name))
    else:
        quarantine.add("a page without text", file.name)


def main_text(page: bytes, extractor: str = RESILIPARSE, charset: str = "") -> str:
    """A page without navigation, scripts and other boilerplate.

    Its encoding is detected; `charset` is what HTTP said of it. Threads that call this at the same
    time use a process each, which serves one page after the other.

    Raises:
        ValueError: the extractor took too much time or memory, or crashed.
        MissingExtra: it is not installed.
    """
    idle = _idle[os.getpid(), extractor]  # what a fork has taken over is not its own
    try:
        worker = idle.pop()
    except IndexError:
        worker = _Worker(extractor)
    try:
        text = worker.ask(page, charset)
    except BaseException:
        worker.stop()
        raise
    idle.append(worker)
    return text


class _Worker:
    """A process that runs `extractor.py`."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-P", str(SCRIPT), name, str(CPU_SECONDS)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._pages, self._replies = self._process.stdin, self._process.stdout
        if receive(self._replies) != FOUND:
            self.stop()
            raise MissingExtra(name, EXTRAS[name])

    def ask(self, page: bytes, charset: str) -> str:
        """The text of a page."""
        try:
            send(self._pages, charset.encode("utf-8", "replace"))
            send(self._pages, page)
            reply = receive(self._replies)
        except BrokenPipeError:
            reply = None
        if reply is None or not reply.startswith(FOUND):
            reason = "too much time or memory" if reply is None else reply[1:].decode()
            raise ValueError(f"the extractor failed: {reason}")
        return reply[1:].decode()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        with suppress(BrokenPipeError), self._process:  # closes the pipes and waits
            pass
        self._process.wait()


_idle: defaultdict[tuple[int, str], list[_Worker]] = defaultdict(list)


@atexit.register
def _stop_idle() -> None:
    for (process, _), workers in _idle.items():
        for worker in workers if process == os.getpid() else ():
            worker.stop()
