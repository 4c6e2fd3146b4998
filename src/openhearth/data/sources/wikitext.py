"""Wikitext as plain text: what a reader of the article would read aloud.

Kept are prose, the text of links, headings as lines of their own, lists with `*`, `#`, code and
formulas. Dropped are templates (and with them infoboxes), tables, references, galleries, files and
categories, and headings under which nothing is left. Any markup takes linear time; what is not
closed is text, as in MediaWiki. The language: https://www.mediawiki.org/wiki/Help:Formatting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator

from openhearth.data.sources.markup import unescape

DEEPEST = 16  # links in links, as in a file's caption
VERBATIM = "nowiki|pre|math|chem|code|syntaxhighlight|source"
DROPPED = (
    "ref|references|gallery|timeline|imagemap|score|graph|mapframe|maplink|templatedata|"
    "categorytree|inputbox|hiero|section|style|indicator"
)
_ELEMENT = re.compile(rf"<(/?)(({VERBATIM})|{DROPPED})\b([^<>]*)>", re.IGNORECASE)
_HELD = re.compile("\0([0-9]+)\0")
_BRACES = re.compile(r"\{\{+|\}\}+|\{\||\|\}(?!\})")
_LINK = re.compile(r"\[\[|\]\]")
_OUTSIDE = re.compile(r"\[(?:(?:https?|ftp|mailto|irc|news):|//)[^\s\[\]]*+[ \t]*+([^\[\]\n]*+)\]")
_BREAK = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_QUOTES = re.compile(r"'{2,}")
_WORD = re.compile(r"__[A-Z]{3,}__")
_EMPTY = re.compile(r"[ ]?\([ ,;:\xa0]*\)")
_DANGLING = re.compile(r"\([ ]*[,;][ ]*")
_HEADING = re.compile(r"(={1,6})(?=[^=])(.*[^=\s])[ \t]*\1$")
_LIST = re.compile(r"[*#:;]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)?$")


def plain(source: str, unseen: Collection[str] = ("file", "image", "category", "media")) -> str:
    """The text of a page. Links into the namespaces `unseen`, in lower case, are not shown."""
    source = source.replace("\0", "")
    source = _without_comments(source)
    held: list[str] = []
    source = _hold(source, held)
    source = _without_templates(source)
    source = _links(source, unseen)
    source = _OUTSIDE.sub(r"\1", source)
    source = _TAG.sub("", _BREAK.sub("\n", source))
    source = _QUOTES.sub(lambda quotes: "'" if len(quotes[0]) == 4 else "", source)
    source = unescape(_WORD.sub("", source)).replace("\xa0", " ")
    source = _DANGLING.sub("(", _EMPTY.sub("", source))
    lines = "\n".join(_sections(source.split("\n")))
    text = re.sub(r"\n{3,}", "\n\n", lines).strip()
    return _HELD.sub(lambda place: _at(held, place[1]), text)


def _at(held: list[str], number: str) -> str:
    return held[int(number)] if len(number) < 9 and int(number) < len(held) else ""


def _without_comments(source: str) -> str:
    first, *rest = source.split("<!--")
    return first + "".join(piece.partition("-->")[2] for piece in rest)


def _hold(source: str, held: list[str]) -> str:
    """Without the elements that are dropped; `\\0number\\0` where one is to be kept verbatim."""
    parts: list[str] = []
    start = 0  # of what is not yet in `parts`
    name, inside = "", 0  # of the element that is open, and where its content begins
    for tag in _ELEMENT.finditer(source):
        kind, is_closed = tag[2].lower(), tag[4].endswith("/")
        if not name and not tag[1]:
            parts.append(source[start : tag.start()])
            start = tag.end()
            name, inside = ("", 0) if is_closed else (kind, tag.end())
        elif name == kind and tag[1]:
            if tag[3]:
                parts.append(f"\0{len(held)}\0")
                held.append(_verbatim(name, source[inside : tag.start()]))
            name, start = "", tag.end()
    return "".join((*parts, source[start:]))


def _verbatim(name: str, content: str) -> str:
    if name in ("math", "chem"):
        return f"${content.strip()}$"
    return unescape(content) if name != "nowiki" else unescape(_TAG.sub("", content))


def _without_templates(source: str) -> str:
    """Without what is between `{{` and `}}` or `{|` and `|}`, which nest in each other."""
    return "".join(_outside(source, list(_spans(source))))


def _outside(source: str, spans: list[tuple[int, int]]) -> Iterator[str]:
    end = 0
    for start, stop in sorted(spans):
        if start >= end:
            yield source[end:start]
        end = max(end, stop)
    yield source[end:]


def _spans(source: str) -> Iterator[tuple[int, int]]:
    """Where templates and tables are, also within each other; `{{{x}}}` counts as `{{x}}`."""
    opened: list[tuple[str, int]] = []
    counts: Counter[str] = Counter()  # of each kind in `opened`
    for token in _BRACES.finditer(source):
        kind, times = "|" if "|" in token[0] else "{", len(token[0]) // 2
        if kind == "|" and not _begins_line(source, token.start()):
            continue
        if token[0][0] == "{":
            opened += [(kind, token.start())] * times
            counts[kind] += times
            continue
        for _ in range(min(times, counts[kind])):
            found = ""
            while found != kind:  # what is open within it was never closed
                found, start = opened.pop()
                counts[found] -= 1
            yield start, token.end()


def _begins_line(source: str, place: int) -> bool:
    before = source[max(0, place - 20) : place].rpartition("\n")[2]
    return not before.strip(" :")


def _links(source: str, unseen: Collection[str]) -> str:
    """Links as the text that they show."""
    buffers: list[list[str]] = [[]]
    end = 0
    for token in _LINK.finditer(source):
        buffers[-1].append(source[end : token.start()])
        end = token.end()
        if token[0] == "[[" and len(buffers) <= DEEPEST:
            buffers.append([])
        elif token[0] == "]]" and len(buffers) > 1:
            content = "".join(buffers.pop())
            buffers[-1].append(_shown(content, unseen))
    buffers[-1].append(source[end:])
    return "[[".join("".join(buffer) for buffer in buffers)


def _shown(link: str, unseen: Collection[str]) -> str:
    target, bar, text = link.partition("|")
    prefix, colon, rest = target.partition(":")
    space = prefix.strip().lower().replace("_", " ")
    if colon and (space in unseen or (_LANGUAGE.match(space) and not bar)):
        return ""
    return text.rpartition("|")[2] or (rest if bar and colon else target.lstrip(":")).strip()


def _sections(lines: list[str]) -> Iterator[str]:
    """Lines with headings and lists; a heading waits until something follows under it."""
    waiting: list[tuple[int, str]] = []  # headings, and the levels at which they are
    for line in lines:
        line = line.strip()
        if heading := _HEADING.match(line):
            level = len(heading[1])
            while waiting and waiting[-1][0] >= level:
                waiting.pop()
            waiting.append((level, heading[2].strip()))
        elif item := _item(line):
            for _, title in waiting:
                yield from ("", title, "")
            waiting = []
            yield item
        else:
            yield ""


def _item(line: str) -> str:
    """A line of text or of a list; nothing if it has only markup."""
    if line.startswith(("|", "!", "{|")) or not line.strip("-=*#:; \t"):
        return ""
    mark = _LIST.match(line)
    if not mark:
        return line
    marks = mark[0].rstrip(":;")
    return f"{marks} {line[mark.end() :].strip()}".strip()
