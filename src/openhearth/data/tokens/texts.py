"""Plain texts to tokens: as the whole texts would be, in pieces that fit into memory."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from openhearth.data.tokenizer import Tokenizer

# In characters: the pieces of a long text, what is encoded at a time, and what a cut is tried on.
PIECE, GROUP, NEAR = 1 << 18, 1 << 20, 256
WORD_END = re.compile(r"\w(?= [^\W\d_])")
Piece = tuple[int, str]  # the number of its text


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of texts, without beginnings and ends; memory for some `GROUP` characters.

    The name of a special token in a text is text like any other, so no document can end itself.
    """
    found: list[list[int]] = [[] for _ in texts]
    numbered = enumerate(texts)
    pieces = ((number, piece) for number, text in numbered for piece in cut(tokenizer, text))
    for group in _groups(pieces):
        encoded = tokenizer.encode_literally([piece for _, piece in group])
        for (number, _), ids in zip(group, encoded, strict=True):
            found[number] += ids
    return found


def cut(tokenizer: Tokenizer, text: str) -> Iterator[str]:
    """A long text in pieces that have the tokens of the whole; one piece where there are none."""
    start = 0
    while len(text) - start > 2 * PIECE and (end := _end(tokenizer, text, start + PIECE)):
        yield text[start:end]
        start = end
    yield text[start:]


def _end(tokenizer: Tokenizer, text: str, near: int) -> int | None:
    """Where one word ends, another begins, and the tokens on both sides are those of both sides.

    What splits texts before BPE looks at no more than the words around.
    """
    ends = (match.end() for match in WORD_END.finditer(text, near, near + PIECE))
    for end in itertools.islice(ends, 8):
        left, right = text[end - NEAR : end], text[end : end + NEAR]
        whole, first, second = tokenizer.encode_literally([left + right, left, right])
        if whole == first + second:
            return end
    return None


def _groups(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        if group and size + len(piece[1]) > GROUP:
            yield group
            group, size = [], 0
        group.append(piece)
        size += len(piece[1])
    if group:
        yield group
