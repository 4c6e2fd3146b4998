"""XML from strangers: what lies under its root, one element after the other, in bounded memory.

Nothing is expanded and nothing is fetched: a file with declarations of its own is refused, since
entities and default attributes make a few bytes into gigabytes. Nesting and the length of a tag
are limited; an element that is too large is left out and the next one read. Names come without
their prefix: `dc:title` is `title`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from openhearth.data.schema import Block, Quarantine
from openhearth.data.sources.files import Errors, File

READS_BLOCKS = True
READERS = {"mediawiki": "mediawiki", "posts": "stackexchange"}  # by the name of the root
CHUNK = 128 << 10  # bytes
LONGEST_TAG = 4 << 20  # bytes, or of a comment: these expat keeps, and reads again with each chunk
LARGEST = 64 << 20  # characters of one element
DEEPEST = 64
OVERHEAD = 64  # what an element counts beside its characters


class BadXML(ValueError):
    """This cannot be read as XML, from the byte `offset` on."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


def read(file: File, quarantine: Quarantine) -> Iterator[Block]:
    """The blocks of an XML file of a form that is known by its root."""
    try:
        with file.open() as stream:
            _, root = next(elements(stream))
    except BadXML as error:
        quarantine.add(f"not XML ({error})", file.name, error.offset)
        return
    except Errors as error:
        quarantine.add(f"unreadable ({error})", file.name)
        return
    assert root is not None
    if root.tag not in READERS:
        quarantine.add(f"XML of no known form (<{root.tag[:40]}>)", file.name)
        return
    reader = importlib.import_module(f"openhearth.data.sources.{READERS[root.tag]}")
    yield from reader.read(file, quarantine)


def elements(stream: BinaryIO) -> Iterator[tuple[int, Element | None]]:
    """The root as it begins, then each element under it, and the byte at which they begin.

    An element that is larger than `LARGEST` is None.

    Raises:
        BadXML: it is not well-formed, or passes a limit.
    """
    trees = _Trees(level=2)
    while data := stream.read(CHUNK):
        yield from trees.feed(data)
    yield from trees.feed(b"", is_last=True)


def parse(data: bytes) -> Element:
    """A small document as a whole.

    Raises:
        BadXML: it is not well-formed, or passes a limit.
    """
    trees = _Trees(level=1)
    _, root = [*trees.feed(data), *trees.feed(b"", is_last=True)][-1]
    if root is None:
        raise BadXML("an element that is too large", 0)
    return root


class _Trees:
    """Makes a tree of each element at a level; the root is 1."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._depth = self._fed = self._size = self._start = 0
        self._builder: TreeBuilder | None = None
        self._done: list[tuple[int, Element | None]] = []
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def feed(self, data: bytes, is_last: bool = False) -> list[tuple[int, Element | None]]:
        """Read on; the elements that are whole now."""
        try:
            self._parser.Parse(data, is_last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise BadXML(reason, max(0, self._parser.ErrorByteIndex)) from error
        except BadXML:
            raise
        except (LookupError, ValueError) as error:  # of the encoding that it says
            raise BadXML(str(error), 0) from error
        self._fed += len(data)
        if self._fed - self._parser.CurrentByteIndex > LONGEST_TAG:
            self._refuse(f"a tag longer than {LONGEST_TAG >> 20} MiB")
        done, self._done = self._done, []
        return done

    def _doctype(self, name: str, system: str | None, public: str | None, declares: bool) -> None:
        if declares:
            self._refuse("declarations in the file")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        tag = name.rpartition(":")[2]
        if self._depth > DEEPEST:
            self._refuse(f"elements nested deeper than {DEEPEST}")
        if self._depth < self._level:
            self._done.append((self._parser.CurrentByteIndex, Element(tag, attributes)))
        elif self._depth == self._level:
            self._builder, self._size = TreeBuilder(), 0
            self._start = self._parser.CurrentByteIndex
        if self._depth >= self._level:
            size = sum(len(key) + len(value) for key, value in attributes.items())
            self._grow(OVERHEAD * (1 + len(attributes)) + len(name) + size)
            if self._builder:
                self._builder.start(tag, attributes)

    def _end(self, name: str) -> None:
        if self._builder:
            self._builder.end(name.rpartition(":")[2])
        if self._depth == self._level:
            tree = self._builder.close() if self._builder else None
            self._done.append((self._start, tree))
            self._builder = None
        self._depth -= 1

    def _characters(self, text: str) -> None:
        self._grow(len(text))
        if self._builder:
            self._builder.data(text)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > LARGEST:
            self._builder = None

    def _refuse(self, reason: str) -> None:
        raise BadXML(reason, max(0, self._parser.CurrentByteIndex))
