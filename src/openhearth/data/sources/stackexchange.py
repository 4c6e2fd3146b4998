"""StackExchange's `Posts.xml`: each question with its answers, the best first, as one document.

The text is that of RedPajama-V1 (its `data_prep/stack_exchange`): `Q: ` title and body, then `A: `
and an answer, without HTML; but scores are sorted as numbers, and lists and code keep their lines.
An answer may come anywhere after its question, so all posts go through a database in the temporary
directory, which takes about the size of the uncompressed file; memory stays small. `license` is
that of all its posts, `creator` all their authors. The site is known where the file or its folder
is named after it, as in `askubuntu.com/Posts.xml`.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pyarrow as pa

from openhearth.data.schema import Quarantine, Row, blocks, document, to_batch
from openhearth.data.sources.files import Errors, File
from openhearth.data.sources.markup import plain
from openhearth.data.sources.text import source_of
from openhearth.data.sources.xml import LARGEST, BadXML, elements
from openhearth.errors import HearthError

READS_BLOCKS = True
SETTINGS = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
TABLE = (
    "CREATE TABLE posts (thread INTEGER, is_answer INTEGER, score INTEGER, id INTEGER, body TEXT, "
    "title TEXT, tags TEXT, created TEXT, license TEXT, author TEXT)"
)
ORDER = "thread, is_answer, score DESC, id"
_SITE = re.compile(r"((?:[a-z0-9-]+\.)+(?:com|net|org))(?:-Posts)?(?:\.xml(?:\.\w+)?)?")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def read(file: File, quarantine: Quarantine) -> Iterator[Threads]:
    """The questions of a site, some at a time, in the order of their numbers.

    Raises:
        HearthError: the temporary directory is full.
    """
    site = _site(file.url)
    source = site or source_of(file.name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "posts")
        with closing(sqlite3.connect(path, check_same_thread=False)) as database:
            try:
                _store(_posts(file, site, quarantine), database)
                for block in blocks(_threads(database, file.name, quarantine)):
                    yield Threads(block.rows, site, source)
            except sqlite3.Error as error:
                raise HearthError(
                    f"{file.name} cannot be sorted in the temporary directory ({error}): set "
                    "TMPDIR to a folder with more room than the uncompressed file takes."
                ) from error


def _site(url: str) -> str:
    """The host name that the file or its folder has as its name."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url
    folder, name = ["", *path.split("/")][-2:]
    found = _SITE.fullmatch(name) or _SITE.fullmatch(folder)
    return found[1] if found else ""


def _posts(file: File, site: str, quarantine: Quarantine) -> Iterator[tuple[Any, ...]]:
    """The columns of each question and answer. What is neither, such as a tag's wiki, is none."""
    try:
        with file.open() as stream:
            for offset, element in elements(stream):
                if element is None:
                    quarantine.add(f"larger than {LARGEST >> 20} Mi characters", file.name, offset)
                elif element.get("ParentId") or element.get("Title"):
                    try:
                        yield _columns(element, site)
                    except ValueError as error:
                        quarantine.add(str(error), file.name, offset)
    except BadXML as error:
        quarantine.add(f"cannot be read further ({error})", file.name, error.offset)
    except Errors as error:
        quarantine.add(f"cannot be read further ({error})", file.name)


def _columns(post: Element, site: str) -> tuple[Any, ...]:
    number, parent = _integer(post, "Id"), post.get("ParentId")
    user = post.get("OwnerUserId")
    profile = f"{site}/users/{user}" if site else f"user {user}"
    return (
        number if not parent else _integer(post, "ParentId"),
        bool(parent),
        _integer(post, "Score", "0"),
        number,
        post.get("Body", ""),
        post.get("Title", ""),
        post.get("Tags", ""),
        post.get("CreationDate", ""),
        post.get("ContentLicense", "").replace(" ", "-"),  # CC BY-SA 4.0, as SPDX writes it
        post.get("OwnerDisplayName") or (profile if user else ""),
    )


def _integer(post: Element, name: str, default: str = "") -> int:
    value = post.get(name, default)
    if not _NUMBER.fullmatch(value):
        raise ValueError(f"a post whose {name} is no number")
    return int(value)


def _store(posts: Iterable[tuple[Any, ...]], database: sqlite3.Connection) -> None:
    database.executescript(SETTINGS + TABLE)
    database.executemany("INSERT INTO posts VALUES (?,?,?,?,?,?,?,?,?,?)", posts)
    database.execute(f"CREATE INDEX threads ON posts ({ORDER})")


def _threads(database: sqlite3.Connection, name: str, quarantine: Quarantine) -> Iterator[Row]:
    """Each question with its answers; `text` is the HTML of their bodies, with \\0 between them."""
    database.row_factory = sqlite3.Row
    posts = database.execute(f"SELECT * FROM posts INDEXED BY threads ORDER BY {ORDER}")  # noqa: S608
    for number, group in groupby(posts, itemgetter("thread")):
        thread = _together(group, name, quarantine)
        if thread:
            yield _thread(number, thread)


def _together(posts: Iterable[sqlite3.Row], name: str, quarantine: Quarantine) -> list[sqlite3.Row]:
    """The first question and its answers; none if there is no question."""
    thread: list[sqlite3.Row] = []
    size = 0
    for post in posts:
        size += len(post["body"])
        if not thread and post["is_answer"]:
            quarantine.add("an answer without its question", name)
        elif thread and not post["is_answer"]:
            quarantine.add("a question that comes twice", name)
        elif size > LARGEST:
            quarantine.add("too many answers", name)
        else:
            thread.append(post)
    return thread


def _thread(number: int, posts: Sequence[sqlite3.Row]) -> Row:
    question = posts[0]
    authors = dict.fromkeys(post["author"] for post in posts if post["author"])
    return {
        "number": number,
        "title": question["title"],
        "score": question["score"],
        "tags": question["tags"],
        "created": question["created"],
        "text": "\0".join(post["body"] for post in posts),
        "license": " AND ".join(sorted({post["license"] for post in posts} - {""})),
        "creator": ", ".join(authors),
    }


@dataclass(frozen=True)
class Threads:
    """Some questions of a site with their answers, in HTML."""

    threads: Sequence[Row]
    site: str
    source: str

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The questions as documents."""
        return to_batch([self._row(thread) for thread in self.threads], quarantine)

    def _row(self, thread: Row) -> Row:
        question, *answers = [plain(body) for body in thread["text"].split("\0")]
        text = "\nA: ".join([f"Q: {thread['title']} {question}", *answers])
        page = f"questions/{thread['number']}"
        about = {
            "title": thread["title"],
            "score": thread["score"],
            "answers": len(answers),
            "tags": re.findall(r"[^<>|]+", thread["tags"]),
        }
        terms = (thread["license"], thread["creator"])
        return {
            **document(f"{self.source}/{page}", text, self.source, terms=terms, **about),
            "url": f"https://{self.site}/{page}" if self.site else "",
            "created": thread["created"],
        }
