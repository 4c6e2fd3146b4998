"""Mail: what people wrote is kept, what machines added is not, and no message harms another."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.schema import Quarantine
from openhearth.data.sources import mail, read
from openhearth.data.sources.files import File

LIST = """\
From ann at example.org  Mon Jan  2 10:00:00 1995
From: ann at example.org (Ann Lee)
Date: Mon, 2 Jan 1995 10:00:00 +0100
Subject: =?iso-8859-1?q?Caf=E9?= and
 more
Message-ID: <1@example.org>
List-Id: Talk about talk <talk.example.org>

Shall we meet?
From here it is not far.
>From there neither.
>>From far away it is.

From June on I am back.

-- @
Ann Lee
+1 555 0100

From "bob" Tue Jan  3 11:00:00 1995
From: "Bob B." <bob@example.org>
Date: no date at all
Subject: Re: Caf\u00e9
Message-ID: <2@example.org>
In-Reply-To: Your message <1@example.org>
References: <0@example.org> <1@example.org>

> Shall we meet?
Yes.
""".replace("-- @", "-- ")


@dataclass(frozen=True)
class Held(File):
    """A file in memory."""

    data: bytes

    def open_raw(self) -> BinaryIO:
        return io.BytesIO(self.data)


def messages(data: bytes, name: str = "x.mbox") -> tuple[list[dict[str, Any]], Quarantine]:
    aside = Quarantine()
    blocks = mail.read(Held(name, name, len(data), "", data), aside)
    return [row for block in blocks for row in block.batch(aside).to_pylist()], aside


def test_a_mailing_list_becomes_its_messages(tmp_path: Path) -> None:
    (tmp_path / "talk.mbox.gz").write_bytes(gzip.compress(LIST.encode()))
    corpus = read(str(tmp_path))
    first, second = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert corpus.quarantine.total == 0
    assert first["text"] == (
        "Café and more\n\nShall we meet?\nFrom here it is not far.\nFrom there neither.\n"
        ">From far away it is.\n\nFrom June on I am back."
    )
    assert (first["id"], first["creator"]) == ("1@example.org", "Ann Lee")
    assert first["created"] == "1995-01-02T10:00:00+01:00"
    assert json.loads(first["metadata"]) == {
        "subject": "Café and more",
        "list_id": "talk.example.org",
    }
    assert second["text"] == "Re: Café\n\n> Shall we meet?\nYes."
    assert (second["created"], second["creator"]) == ("", "Bob B.")
    assert json.loads(second["metadata"]) == {
        "subject": "Re: Café",
        "in_reply_to": ["1@example.org"],
        "references": ["0@example.org", "1@example.org"],
    }


def message(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in headers.items():
        made[name] = value
    return made


def test_plain_text_is_preferred_and_attachments_are_dropped() -> None:
    made = message(Subject="Both")
    made.set_content("Plain ☕.", cte="base64")
    made.add_alternative("<p>Marked up.</p>", subtype="html")
    made.add_attachment("A secret table.", filename="table.txt")
    rows, aside = messages(bytes(made), "one.eml")
    assert [(row["id"], row["text"]) for row in rows] == [("one.eml/0", "Both\n\nPlain ☕.")]
    assert aside.total == 0


def test_html_is_read_where_there_is_nothing_else() -> None:
    pytest.importorskip("resiliparse")
    made = message(Subject="Page")
    made.set_content("<p>Good &amp; bad.</p>", subtype="html", charset="utf-16")
    assert [row["text"] for row in messages(bytes(made))[0]] == ["Page\n\nGood & bad."]
    made = message(Subject="Page")
    made.set_content(" \n")
    made.add_alternative("<p>Only here.</p>", subtype="html")
    assert [row["text"] for row in messages(bytes(made))[0]] == ["Page\n\nOnly here."]


@pytest.mark.parametrize(
    ("charset", "body", "expected"),
    [
        ("koi8-r", "привет".encode("koi8-r"), "привет"),
        ("us-ascii", "Müller".encode("latin-1"), "Müller"),
        ("iso-8859-1", "100 €".encode("cp1252"), "100 €"),
        ("iso-8859-1", "Müller".encode(), "Müller"),
        ("x-unknown", "Müller".encode(), "Müller"),
        ("utf-8", b"M\xfcller", None),
        ("punycode", b"M\xfcller", None),
        ("rot13", b"M\xfcller", None),
    ],
)
def test_charsets(charset: str, body: bytes, expected: str | None) -> None:
    head = f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n".encode()
    rows, aside = messages(head + body)
    assert [row["text"] for row in rows] == ([f"x\n\n{expected}"] if expected else [])
    assert aside.counts == ({} if expected else {"text that is not in its charset": 1})


def test_bad_messages_are_set_aside_where_they_begin() -> None:
    start = b"From a Mon Jan  2 10:00:00 1995\n"
    good = start + b"Subject: good\n\nText.\n\n"
    empty = start + b"Subject: empty\n\n\n"
    nested = (
        start
        + b"Subject: deep\n"
        + b"".join(
            b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (i, i) for i in range(2000)
        )
    )
    large = start + b"Subject: large\n\n" + b"x" * (mail.LARGEST + 5) + b"\n\n"
    rows, aside = messages(good + empty + large + nested + b"\n" + good)
    assert [row["text"] for row in rows] == ["good\n\nText."] * 2
    assert aside.counts == {
        "a message without text": 1,
        "a message larger than 32 MiB": 1,
        "not a message": 1,
    }
    where = {example["reason"]: example["where"] for example in aside.examples}
    assert where["a message without text"] == f"x.mbox at byte {len(good) + len(start)}"
    assert where["a message larger than 32 MiB"] == (
        f"x.mbox at byte {len(good) + len(empty) + len(start)}"
    )


def test_work_is_bounded() -> None:
    many = b"Subject: x\n" + b"boundary\n" * 20_000
    assert messages(many)[1].counts == {"a message of too many parts": 1}
    long = b"To: " + b"(" * 500_000 + b"\nSubject: " + b"=?x?q?a?= " * 50_000 + b"\n\nText."
    assert len(messages(long)[0]) == 1


def test_a_maildir_is_read_if_it_is_called_mail(tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    (tmp_path / "cur" / "1234.M5P6.host:2,S").write_bytes(b"Subject: Hi\r\n\r\nThere.\r\n")
    (row,) = [r for batch in read(str(tmp_path), "mail").batches() for r in batch.to_pylist()]
    assert row["text"] == "Hi\n\nThere."


EDITS = st.lists(st.tuples(st.integers(0, len(LIST) + 20), st.binary(max_size=12)), max_size=8)


@settings(deadline=None)
@given(edits=EDITS, junk=st.binary(max_size=200))
def test_no_bytes_end_the_reading(edits: list[tuple[int, bytes]], junk: bytes) -> None:
    data = bytearray(LIST.encode())
    for place, change in edits:
        data[place : place + len(change)] = change
    for text in (bytes(data), junk, LIST.encode() + junk):
        rows, aside = messages(text)
        assert len(rows) + aside.total <= text.count(b"From ") + 1
