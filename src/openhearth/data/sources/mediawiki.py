"""MediaWiki's XML export (`pages-articles.xml.bz2`): the articles as plain text.

Only the main namespace is read, and no redirects; these are no documents, so nothing counts them.
Of several revisions the last one is taken. A document begins with its title. `license` is empty,
because an export does not say it: Wikipedia's text is CC BY-SA 4.0, other wikis differ. `creator`
is who wrote that revision, unless it was anonymous, `url` the page's. The format is that of
https://www.mediawiki.org/xml/export-0.11.xsd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote
from xml.etree.ElementTree import Element

import pyarrow as pa

from openhearth.data.schema import Quarantine, Row, blocks, document, to_batch
from openhearth.data.sources import wikitext
from openhearth.data.sources.files import Errors, File
from openhearth.data.sources.text import source_of
from openhearth.data.sources.xml import LARGEST, BadXML, elements

READS_BLOCKS = True
UNSEEN = {"-2", "6", "14"}  # the namespaces of media, files and categories


def read(file: File, quarantine: Quarantine) -> Iterator[Pages]:
    """The articles of an export, some at a time."""
    wiki = Wiki(source_of(file.name))
    for block in blocks(_pages(file, wiki, quarantine)):
        yield Pages(block.rows, wiki)


@dataclass
class Wiki:
    """What an export says of its wiki. `base` is what its pages' URLs begin with."""

    source: str
    base: str = ""
    lang: str = ""
    unseen: frozenset[str] = frozenset({"file", "image", "category", "media"})

    def learn(self, info: Element) -> None:
        """Take over its `siteinfo`."""
        self.source = info.findtext("dbname") or self.source
        self.base = (info.findtext("base") or "").rpartition("/")[0]
        names = (
            (space.text or "").lower()
            for space in info.iterfind("namespaces/namespace")
            if space.get("key") in UNSEEN
        )
        self.unseen |= frozenset(filter(None, names))


def _pages(file: File, wiki: Wiki, quarantine: Quarantine) -> Iterator[Row]:
    """The fields of each article, its text still as wikitext."""
    try:
        with file.open() as stream:
            yield from _articles(stream, wiki, file.name, quarantine)
    except BadXML as error:
        quarantine.add(f"cannot be read further ({error})", file.name, error.offset)
    except Errors as error:
        quarantine.add(f"cannot be read further ({error})", file.name)


def _articles(stream: BinaryIO, wiki: Wiki, name: str, quarantine: Quarantine) -> Iterator[Row]:
    for offset, element in elements(stream):
        if element is None:
            quarantine.add(f"a page larger than {LARGEST >> 20} Mi characters", name, offset)
        elif element.tag == "mediawiki":
            wiki.lang = element.get("xml:lang", "")
        elif element.tag == "siteinfo":
            wiki.learn(element)
        elif element.tag == "page" and _is_article(element):
            *_, revision = [element, *element.iterfind("revision")]
            page = _fields(element, revision)
            if page["model"] != "wikitext":
                quarantine.add("a page that is not wikitext", name, offset)
            elif page["page"] and page["title"]:
                yield page
            else:
                quarantine.add("a page without id or title", name, offset)


def _is_article(page: Element) -> bool:
    return page.findtext("ns", "0") == "0" and page.find("redirect") is None


def _fields(page: Element, revision: Element) -> Row:
    return {
        "page": page.findtext("id") or "",
        "title": page.findtext("title") or "",
        "revision": revision.findtext("id") or "",
        "created": revision.findtext("timestamp") or "",
        "creator": revision.findtext("contributor/username") or "",
        "model": revision.findtext("model") or "wikitext",
        "text": revision.findtext("text") or "",
    }


@dataclass(frozen=True)
class Pages:
    """Some articles of a wiki as they were written."""

    pages: Sequence[Row]
    wiki: Wiki

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The articles as plain text; those that have none go to the quarantine."""
        return to_batch(list(self._rows(quarantine)), quarantine)

    def _rows(self, quarantine: Quarantine) -> Iterator[Row]:
        wiki = self.wiki
        for page in self.pages:
            identity = f"{wiki.source}/{page['page']}/{page['revision']}"
            text = wikitext.plain(page["text"], wiki.unseen)
            if not text:
                quarantine.add("a page without text", identity)
                continue
            title = page["title"]
            url = f"{wiki.base}/{quote(title.replace(' ', '_'))}" if wiki.base else ""
            yield {
                **document(identity, f"{title}\n\n{text}", wiki.source, title=title),
                "url": url,
                "created": page["created"],
                "creator": page["creator"],
                "lang": wiki.lang,
            }
