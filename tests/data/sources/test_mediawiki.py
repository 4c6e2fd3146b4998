"""MediaWiki exports: articles as prose; and XML and wikitext that are made to do harm."""

from __future__ import annotations

import bz2
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.schema import Quarantine
from openhearth.data.sources import read, wikitext, xml
from tests.data.sources.conftest import Held

ARTICLE = """\
{{Short description|City}}
{{Infobox settlement
| name = Bern
| pop = {{formatnum:133883}} <ref>{{cite web|url=http://x}}</ref>
| map = {| class="wikitable"
| a
|}
}}
[[File:Bern.jpg|thumb|The [[old town]] of Bern.]]
'''Bern''' ({{IPA|b}}; {{lang-de|Bern}}) is the ''de facto'' [[capital (political)|capital]] of
[[Switzerland]].<ref name="a">Text [[link]]</ref><ref name="a" /> It has 5&nbsp;km.<!-- check -->

== History ==
=== Early ===
It was [[Foundation|founded]] in 1191, see [http://example.org the site].
* one ''item''
** two
# three
:indented
{| class="wikitable"
! a !! b
|-
| 1 || 2
|}
Formula <math>\\frac{{a}}{b}</math>, <code>x[[0]]</code>, <nowiki>[[no link]]</nowiki>.

== References ==
{{Reflist}}
== Notes ==
[[Kategorie:Bern]] [[de:Bern]] [[:Category:Cities|All cities]]
== External links ==
[[Category:Bern]]
"""
# Written by hand from what Wikipedia's parser shows of such an article.
PROSE = """\
Bern is the de facto capital of
Switzerland. It has 5 km.

History

Early

It was founded in 1191, see the site.
* one item
** two
# three
indented

Formula $\\frac{{a}}{b}$, x[[0]], [[no link]].

Notes

All cities"""


def page(title: str, text: str, number: int = 7, ns: int = 0, inner: str = "") -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return f"""
  <page><title>{title}</title><ns>{ns}</ns><id>{number}</id>{inner}
    <revision><id>{number}00</id><timestamp>2024-01-02T03:04:05Z</timestamp>
      <contributor><username>Ann</username><id>1</id></contributor>
      <model>wikitext</model><text xml:space="preserve">{text}</text></revision>
  </page>"""


def export(*pages: str) -> bytes:
    return f"""<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="de">
  <siteinfo><sitename>Wikipedia</sitename><dbname>dewiki</dbname>
    <base>https://de.wikipedia.org/wiki/Wikipedia:Hauptseite</base>
    <namespaces><namespace key="0" /><namespace key="14">Kategorie</namespace></namespaces>
  </siteinfo>{"".join(pages)}
</mediawiki>""".encode()


def documents(data: bytes) -> tuple[list[dict[str, Any]], Quarantine]:
    aside = Quarantine()
    blocks = xml.read(Held("x.xml", "x.xml", len(data), "", data), aside)
    return [row for block in blocks for row in block.batch(aside).to_pylist()], aside


def test_articles_become_prose(tmp_path: Path) -> None:
    others = [
        page("Berne", "#REDIRECT [[Bern]]", 8, inner='<redirect title="Bern" />'),
        page("Talk:Bern", "Hello?", 9, ns=1),
        page("Empty", "{{Stub}}", 10),
        page("Data", "{}", 11).replace("<model>wikitext", "<model>json"),
    ]
    dump = bz2.compress(export(page("Bern & Co".replace("&", "&amp;"), ARTICLE), *others))
    (tmp_path / "dewiki-pages-articles.xml.bz2").write_bytes(dump)
    corpus = read(str(tmp_path))
    (row,) = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert row == {
        "id": "dewiki/7/700",
        "text": f"Bern & Co\n\n{PROSE}",
        "source": "dewiki",
        "url": "https://de.wikipedia.org/wiki/Bern_%26_Co",
        "created": "2024-01-02T03:04:05Z",
        "lang": "de",
        "license": "",
        "creator": "Ann",
        "metadata": json.dumps({"title": "Bern & Co"}),
    }
    assert corpus.quarantine.counts == {"a page without text": 1, "a page that is not wikitext": 1}


def test_the_last_revision_counts() -> None:
    old, new = page("A", "Old."), page("A", "New.")
    revision = new[new.index("<revision>") : new.index("</page>")]
    rows, _ = documents(export(old.replace("</page>", revision + "</page>")))
    assert [row["text"] for row in rows] == ["A\n\nNew."]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{a|{{b}}}} x {{{c|d}}} y", "x  y"),
        ("{{unclosed and text", "{{unclosed and text"),
        ("text}} and ]]", "text}} and"),
        ("a {{x\n{| \n| {{ \n|}\n}} b", "a  b"),
        ("<ref>one</ref>two<ref name=x/>three<REF>x</Ref>", "twothree"),
        ("[[a]]s [[b|]] [[c#d|e]] [[File:x.png]] [[unclosed", "as b e  [[unclosed"),
        ("'''''both''''' ''i'' '''b''' l''''eau'", "both i b l'eau'"),
        ("a<br/>b<br>c <span title='x'>d</span> 1 < 2", "a\nb\nc d 1 < 2"),
        ("== A ==\n=== B ===\ntext\n== C ==", "A\n\nB\n\ntext"),
        ("=no heading\n==\n----\n__NOTOC__x", "=no heading\n\nx"),
        ("<pre>a  '''b'''</pre>", "a  '''b'''"),
        ("[//x.org a] [mailto:b@c d] [1]", "a d [1]"),
    ],
)
def test_wikitext(source: str, expected: str) -> None:
    assert wikitext.plain(source) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b'<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "x">]><a>&b;</a>',
            "declarations in the file",
        ),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "declarations"),
        (b'<!DOCTYPE a [<!ATTLIST b c CDATA "xxxx">]><a><b/><b/></a>', "declarations"),
        (b"<a>" * 5000, "elements nested deeper than 64"),
        (b"<a><b c='" + b"x" * (xml.LONGEST_TAG + xml.CHUNK), "a tag longer than 4 MiB"),
        (b"<a><!--" + b"x" * (xml.LONGEST_TAG + xml.CHUNK), "a tag longer than 4 MiB"),
        (b"<a>&nothing;</a>", "undefined entity"),
        (b'<?xml version="1.0" encoding="x-none"?><a/>', "unknown encoding"),
        (b'<?xml version="1.0" encoding="gbk"?><a/>', "multi-byte encodings"),
        (b"", "no element found"),
    ],
)
def test_hostile_xml_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(xml.BadXML, match=reason):
        list(xml.elements(io.BytesIO(data)))
    rows, aside = documents(b"<mediawiki>" + data.partition(b"?>")[2] if b"?>" in data else data)
    assert (len(rows), aside.total) == (0, 1)


def test_an_element_that_is_too_large_is_left_out_in_bounded_memory() -> None:
    class Endless(io.RawIOBase):
        """`<a><b>`, then three times more text than an element may have, then the end."""

        left = 3 * xml.LARGEST

        def read(self, size: int = -1) -> bytes:
            if self.left == 3 * xml.LARGEST:
                self.left -= 1
                return b"<a><b>"
            if self.left > 0:
                self.left -= 8 << 20
                return b"x" * (8 << 20)
            self.left, last = -1 << 60, self.left > -1 << 59
            return b"</b><c>kept</c></a>" if last else b""

    tracemalloc.start()
    found = [(offset > 0, e if e is None else e.text) for offset, e in xml.elements(Endless())]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(False, None), (True, None), (True, "kept")]
    assert peak < 2 * xml.LARGEST


def test_a_dump_that_is_cut_off_gives_what_it_holds() -> None:
    whole = export(*(page(f"P{i}", f"Text {i}.", i + 1) for i in range(50)))
    rows, aside = documents(whole[: len(whole) // 2])
    assert 0 < len(rows) < 50
    assert list(aside.counts) == ["cannot be read further (unclosed token)"]
    rows, aside = documents(b"<users><row/></users>")
    assert aside.counts == {"XML of no known form (<users>)": 1}


MARKS = [*"!<>=*#:;]() \na\0", "{{", "}}", "{|", "|}", "[[", "]]", "||", "<ref>", "</ref>", "<!--"]
MARKS += ["<nowiki>", "</nowiki>", "<math>", "-->", "''", "'''", "==", "[http://", "&#9;", "File:"]


@settings(deadline=None)
@given(marks=st.lists(st.sampled_from(MARKS), max_size=80), times=st.integers(1, 200))
def test_no_wikitext_ends_or_stalls_the_reading(marks: list[str], times: int) -> None:
    text = wikitext.plain("".join(marks) * times)
    assert "\0" not in text


SAMPLE = export(page("Bern", ARTICLE))


@settings(deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.binary(max_size=9)), max_size=6),
    junk=st.binary(max_size=100),
)
def test_no_bytes_end_the_reading(edits: list[tuple[int, bytes]], junk: bytes) -> None:
    data = bytearray(SAMPLE)
    for place, change in edits:
        data[place : place + len(change)] = change
    for text in (bytes(data), junk, SAMPLE[:-13] + junk):
        rows, _ = documents(text)
        assert len(rows) <= 1
