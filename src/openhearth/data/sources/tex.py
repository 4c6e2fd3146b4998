r"""LaTeX source, cleaned as RedPajama-V1 did for arXiv; what it stays is LaTeX.

Comments go, then all before the first heading, and all from the bibliography or the appendix on.
Macros without arguments are replaced by what they stand for, so that all authors write alike.
Nothing is run: `\input` means a file of the same paper, and what includes itself stays as it is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

LARGEST = 64 << 20  # characters of a paper, its files and macros in their places
DEEPEST = 8  # files in files, or macros in macros
LONGEST_VALUE = 1000  # characters that a macro stands for
MOST_MACROS = 5000
LEAST_FILE, LEAST_MACRO = 4096, 16  # what a piece counts at least, so that they are not too many
_VERBATIM = re.compile(r"\\begin\{(verbatim\*?|lstlisting|minted|comment)\}")
_ADDRESS_OR_COMMENT = re.compile(r"\\(?:url|href|path)\s*\{[^{}]*\}|\\.|%")
_HEADING = re.compile(r"\\(?:part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?\s*[\[{]")
_END = re.compile(
    r"\\appendix\b|\\begin\s*\{(?:references|REFERENCES|thebibliography)\}|"
    r"\\(?:print)?bibliography\b|\\end\s*\{document\}"
)
_DEFINITION = re.compile(
    r"\\(?:(?:new|renew|provide)command\*?\s*(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))"
    r"|def\s*\\([A-Za-z]+))\s*(?=\{)"
)
_GROUP = re.compile(
    reduce(lambda inner, _: rf"\{{(?:[^{{}}\\]|\\.|{inner})*+\}}", range(6), r"\{\}")
)
_MACRO = re.compile(r"\\([A-Za-z]+)")
_INPUT = re.compile(
    r"\\(?:(?:input|include|subfile)\s*\{\s*([^{}\n]+?)\s*\}|input[ \t]+([^\s{}\\%]+))"
)
_MAIN = re.compile(r"\\document(?:class|style)\b")
_TITLE = re.compile(r"\\title\*?\s*(?:\[[^\[\]]*\]\s*)?(?=\{)")


def clean(files: Mapping[str, str]) -> str:
    """The text of a paper, from its `.tex` files by their names; empty if it has no heading.

    What is included is put in place; several files that are whole papers follow each other.

    Raises:
        ValueError: it would be larger than `LARGEST`.
    """
    macros: dict[str, str] = {}
    sources = {
        posixpath.normpath(name): _without_macros(without_comments(text), macros)
        for name, text in files.items()
    }
    values = _resolved(macros)
    texts = []
    for root in _roots(sources):
        whole = _join(_included(root, sources, ()), LEAST_FILE)
        texts.append(_join(_replaced(_body(whole), values), LEAST_MACRO).strip())
    return "\n\n".join(filter(None, texts))


def title(files: Mapping[str, str]) -> str:
    """The title that a paper gives itself; empty if none."""
    for text in files.values():
        found = _TITLE.search(text)
        value = _value(text, found.end()) if found else None
        if value:
            return " ".join(without_comments(value).split())
    return ""


def without_comments(source: str) -> str:
    """Source without comments, and without lines that are nothing else."""
    kept = []
    environment = ""  # the verbatim one that we are in
    for line in source.split("\n"):
        if not environment:
            code = _code(line)
            if code.strip() or code == line:
                kept.append(code)
            begun = _VERBATIM.search(code)
            if begun and not _ends(begun[1], code):
                environment = begun[1]
        else:
            kept += [line] if environment != "comment" else []
            environment = "" if _ends(environment, line) else environment
    return "\n".join(line for line in kept if line.strip() != r"\begin{comment}")


def _ends(environment: str, line: str) -> bool:
    return f"\\end{{{environment}}}" in line


def _code(line: str) -> str:
    for token in _ADDRESS_OR_COMMENT.finditer(line):
        if token[0] == "%":
            return line[: token.start()].rstrip()
    return line


def _without_macros(source: str, macros: dict[str, str]) -> str:
    """Source without the definitions that could be read, which go to `macros`."""
    parts = []
    start = place = 0
    while found := _DEFINITION.search(source, place):
        place = found.end()
        value = _value(source, place)
        if value is not None and "#" not in value and len(macros) < MOST_MACROS:
            macros[found[1] or found[2] or found[3]] = value
            parts.append(source[start : found.start()])
            start = place = place + len(value) + 2
    return "".join((*parts, source[start:]))


def _value(source: str, start: int) -> str | None:
    """What is in the braces that open here, unless it is long or they nest deep."""
    group = _GROUP.match(source, start, start + LONGEST_VALUE)
    return group[0][1:-1] if group else None


def _resolved(macros: Mapping[str, str]) -> dict[str, str]:
    """Values with the macros in them replaced; without those that grow too long, or never end."""
    values = dict(macros)
    for _ in range(DEEPEST):
        inner = {name: value for name, value in values.items() if "\\" in value}
        if not inner:
            break
        for name, value in inner.items():
            longer = "".join(_replaced(value, values))
            if len(longer) > LONGEST_VALUE or _mentions(longer, name):
                del values[name]
            else:
                values[name] = longer
    return values


def _mentions(value: str, name: str) -> bool:
    return any(macro[1] == name for macro in _MACRO.finditer(value))


def _roots(sources: Mapping[str, str]) -> list[str]:
    """The files that are whole papers, or else those that no other includes."""
    included = {
        target
        for name, source in sources.items()
        for found in _INPUT.finditer(source)
        if (target := _target(found, name, sources)) != name
    }
    mains = [name for name, source in sources.items() if _MAIN.search(source)]
    return mains or [name for name in sources if name not in included] or list(sources)


def _target(found: re.Match[str], name: str, sources: Mapping[str, str]) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), found[1] or found[2]))
    return next((known for known in (path, f"{path}.tex") if known in sources), "")


def _included(name: str, sources: Mapping[str, str], within: tuple[str, ...]) -> Iterator[str]:
    """A file in pieces, with those that it includes."""
    source = sources[name]
    end = 0
    for found in _INPUT.finditer(source):
        target = _target(found, (*within, name)[0], sources)
        if target and target not in (*within, name) and len(within) < DEEPEST:
            yield source[end : found.start()]
            yield from _included(target, sources, (*within, name))
            end = found.end()
    yield source[end:]


def _body(source: str) -> str:
    heading = _HEADING.search(source)
    if not heading:
        return ""
    end = _END.search(source, heading.start())
    return source[heading.start() : end.start() if end else None]


def _replaced(source: str, values: Mapping[str, str]) -> Iterator[str]:
    end = 0
    for macro in _MACRO.finditer(source):
        if macro[1] in values:
            yield source[end : macro.start()]
            yield values[macro[1]]
            end = macro.end()
    yield source[end:]


def _join(pieces: Iterable[str], least: int) -> str:
    kept = []
    size = 0
    for piece in pieces:
        size += max(len(piece), least)
        if size > LARGEST:
            raise ValueError(f"it includes or expands to more than {LARGEST >> 20} Mi characters")
        kept.append(piece)
    return "".join(kept)
