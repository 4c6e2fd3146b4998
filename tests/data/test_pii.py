"""Personal data: the patterns, the search that is quicker than they are, and the native one."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.pii import PATTERNS, find_pii, mask_pii
from openhearth.data.signals import compute

ANY = re.compile("|".join(f"(?P<{kind}>{p})" for kind, p in PATTERNS.items()), re.ASCII)
pieces = st.sampled_from(
    ["a", "Z", "9", "@", ".", "-", "_", "%", "+", " ", "\n", "(", ")", "a@b.c", "@b.c", "x@y",
     "555-123-4567", "(555) 123", "-4567", "5551234567", "1.2.3.4", "255.255.255.255", "256", "0",
     "é", "\uff11", "·", "\u2028", "|||"]
)  # fmt: skip
near = st.lists(pieces, max_size=14).map("".join)


def found(text: str) -> list[tuple[str, str]]:
    return [(text[match.begin : match.end], match.kind) for match in find_pii(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jo.doe+x@mail.example.org.", ["jo.doe+x@mail.example.org"]),
        ("jo@example.org\njim@example.org", ["jo@example.org", "jim@example.org"]),
        ("jo@example.org\n", ["jo@example.org"]),
        ("<jo@example.org>, mailto:jo@example.org?x", ["jo@example.org", "jo@example.org"]),
        ("señor@example.org", ["or@example.org"]),  # only the ASCII beside the @
        ("日jo@example.org日", ["jo@example.org"]),
        ("jo@localhost, @name, a @ b.org, jo@@example.org", []),
        ("a@b@c.org", ["b@c.org"]),
        ("call 555-123-4567 or (555) 123-4567", ["555-123-4567", "(555) 123-4567"]),
        ("555.123.4567\n5551234567", ["555.123.4567", "5551234567"]),
        ("日555-123-4567日", ["555-123-4567"]),
        ("+1 555 123 4567", ["555 123 4567"]),
        ("order 15551234567, 555-123-45678, x555-123-4567", []),
        ("at 192.168.0.1:80 and 8.8.8.8.", ["192.168.0.1", "8.8.8.8"]),
        ("255.255.255.255\n0.0.0.0", ["255.255.255.255", "0.0.0.0"]),
        ("256.1.1.1, 1.2.3.456, 01.2.3.4, 1.2.3, v1.2.3.4", []),
        ("version 1.2.3.4.5 of 1.2.3.4-rc", ["1.2.3.4"]),
        ("on 2024-01-31, 31.01.2024, 2024.01.31.12", []),
        ("ISBN 978-0-306-40615-7, 9780306406157", []),
        ("ISBN 0306406152, time 1700000000", ["0306406152", "1700000000"]),  # it cannot know
        ("(555) 123-4567-x@b.org", ["(555) 123-4567", "-x@b.org"]),
    ],
)
def test_what_is_found(text: str, expected: list[str]) -> None:
    assert [match for match, _ in found(text)] == expected
    assert compute([text], ["oh_pii_count"])["oh_pii_count"].to_pylist() == [len(expected)]


def test_marks_name_the_kind() -> None:
    text = "jo@b.org, 10.0.0.1\n555-123-4567"
    assert mask_pii(text) == "|||EMAIL_ADDRESS|||, |||IP_ADDRESS|||\n|||PHONE_NUMBER|||"
    assert mask_pii("nothing here") == "nothing here"


@given(near | st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_the_search_finds_what_the_patterns_do(text: str) -> None:
    expected = [(match.start(), match.end(), match.lastgroup) for match in ANY.finditer(text)]
    assert [(m.begin, m.end, m.kind) for m in find_pii(text)] == expected


@given(st.lists(near | st.text(max_size=40), max_size=5))
@settings(max_examples=500, deadline=None)
def test_the_native_pass_counts_the_same(texts: list[str]) -> None:
    counts = compute(pa.array(texts, pa.string()), ["oh_pii_count"])["oh_pii_count"].to_pylist()
    assert counts == [len(find_pii(text)) for text in texts]


@given(near)
def test_what_was_masked_is_not_found_again(text: str) -> None:
    assert len(find_pii(mask_pii(text))) <= len(find_pii(text))
    if "@" not in text:
        assert find_pii(mask_pii(text)) == []


@pytest.mark.parametrize("text", ["a" * 10**6, "a@" * 10**6, "@" * 10**6, "1." * 10**6])
def test_long_words_take_no_longer_than_long_texts(text: str) -> None:
    """The e-mail pattern by itself would need hours for the first of these."""
    assert find_pii(text) == []
