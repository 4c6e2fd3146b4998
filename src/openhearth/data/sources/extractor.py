"""The process that finds the text of HTML pages for `html.py`:
`python -P extractor.py NAME SECONDS`.

Extractors are native code that holds Python's lock, and some pages take them hours, gigabytes or a
crash. In a process of their own they use a core each, and the page that ends one is all that is
lost. Frames go in (a charset, a page) and come out (a text, or what went wrong): their length in 8
bytes, then their bytes.
"""

from __future__ import annotations

import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import IO

MEMORY = 4 << 30  # bytes of address space
LENGTH = struct.Struct(">Q")
FOUND, FAILED = b"+", b"-"


def send(stream: IO[bytes], frame: bytes) -> None:
    """Write one frame."""
    stream.write(LENGTH.pack(len(frame)) + frame)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Read one frame; None at the end of the stream, or where it was cut."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    frame = stream.read(length)
    return frame if len(frame) == length else None


def _resiliparse() -> Callable[[str], str]:
    from resiliparse.extract.html2text import extract_plain_text

    return lambda page: extract_plain_text(page, main_content=True, alt_texts=False)


def _trafilatura() -> Callable[[str], str]:
    from trafilatura import extract

    return lambda page: extract(page, include_comments=False) or ""


EXTRACTORS = {"resiliparse": _resiliparse, "trafilatura": _trafilatura}


def decode(page: bytes, charset: str) -> str:
    """A page as text: UTF-8 if it is that, else as HTTP said, as the page says, or as it looks."""
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    if b"\x1b" not in page and b"\0" not in page:  # so that it is neither ISO-2022 nor UTF-16
        try:
            return page.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    said = map_encoding_to_html5(charset, False) if charset else None
    encoding = said or detect_encoding(page, from_html_meta=True) or "utf-8"
    return bytes_to_str(page, encoding, "replace", ())


def main() -> None:
    """Answer until there are no more pages."""
    name, seconds = sys.argv[1], float(sys.argv[2])
    pages, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that a library prints comes among the replies
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked is interrupted, and ends the pipe
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        extract = EXTRACTORS[name]()
    except ImportError as error:
        send(replies, FAILED + str(error).encode())
        return
    send(replies, FOUND)
    while (charset := receive(pages)) is not None and (page := receive(pages)) is not None:
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends the process
        try:
            reply = FOUND + extract(decode(page, charset.decode())).encode("utf-8", "replace")
        except Exception as error:
            reply = FAILED + type(error).__name__.encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        send(replies, reply)


if __name__ == "__main__":
    main()
