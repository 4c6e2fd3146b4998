"""Tokens of answers by a neutral tokenizer, chunk by chunk (rule 24).

A chunk has as many tokens as the text through it has more than the text before it. Encoding each
of these texts from its beginning would be quadratic, so what is long past is encoded once: at a
*seam*, the white space after a word, where text may be cut without a change to its tokens. That
holds for tokenizers which first split text into words, from left to right, and is tried out for
each text; where there are no seams, or one does not hold, everything is encoded from the beginning.

A chunk can join what was there before into fewer tokens. Then the fewer count from the start: a
token that a later chunk takes back was never there. So no chunk has less than none, and the sum is
always the count of the whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Protocol

from openhearth.data.tokenizer import Tokenizer, find_tokenizer
from openhearth.store import Store

if TYPE_CHECKING:
    import tokenizers

BYTES = 4  # to a token, where there is no tokenizer
STRIDE = 64  # characters at least between two seams
Seam = tuple[int, int]  # a place in a text, in characters, and how many tokens are before it


class Counter(Protocol):
    """Counts tokens. `name` is for reports, and `exact` tells whether a tokenizer does it."""

    name: str
    exact: bool

    def count(self, text: str) -> int:
        """The tokens of a text."""

    def shares(self, chunks: Sequence[str]) -> list[int]:
        """Of the tokens of all chunks joined, those of each."""


def counter(name: str | None, store: Store | None = None) -> Counter:
    """The counter by the tokenizer of a model in the store, or by bytes.

    Raises:
        NotFound: nothing in the store has this name.
        UsageError: what has it has no tokenizer.
        MissingExtra: the `tokenizers` package is not installed.
    """
    if name is None:
        return ByBytes()
    artifact = find_tokenizer(store or Store(), name)
    return ByTokenizer(Tokenizer.load(artifact), f"{name} ({artifact.digest})")


class ByBytes:
    """Four bytes of UTF-8 are a token; what is left over at the end is one too."""

    name = f"{BYTES} bytes"
    exact = False

    def count(self, text: str) -> int:
        """The tokens of a text."""
        return -(-len(text.encode()) // BYTES)

    def shares(self, chunks: Sequence[str]) -> list[int]:
        """Of the tokens of all chunks joined, those of each."""
        sizes = accumulate(len(chunk.encode()) for chunk in chunks)
        return _shares([-(-size // BYTES) for size in sizes])


class ByTokenizer:
    """As a model's tokenizer does; names of special tokens are text like any other."""

    exact = True

    def __init__(self, tokenizer: Tokenizer, name: str) -> None:
        import tokenizers

        self.name = name
        self._backend = tokenizers.Tokenizer.from_str(tokenizer.definition)
        self._backend.encode_special_tokens = True
        added = self._backend.get_added_tokens_decoder().values()
        # A token that was added may begin before a seam and end after it: seams keep this far off.
        self._held = max(STRIDE, *(len(token.content) for token in added), 0)

    def count(self, text: str) -> int:
        """The tokens of a text."""
        return self._counts([text])[0]

    def shares(self, chunks: Sequence[str]) -> list[int]:
        """Of the tokens of all chunks joined, those of each."""
        text, ends = "".join(chunks), list(accumulate(map(len, chunks)))
        seams = self._seams(text)
        places = [place for place, _ in seams]
        last = [max(0, bisect_right(places, end - self._held) - 1) for end in ends]
        tails = [text[places[seam] : end] for seam, end in zip(last, ends, strict=True)]
        counts = zip(last, self._counts(tails), strict=True)
        return _shares([seams[seam][1] + tail for seam, tail in counts])

    def _counts(self, texts: Sequence[str]) -> list[int]:
        encoded = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one) for one in encoded]

    def _seams(self, text: str) -> list[Seam]:
        """Where the text can be cut, the beginning first."""
        whole = self._backend.encode(text, add_special_tokens=False)
        words, offsets, found = whole.word_ids, whole.offsets, [(0, 0)]
        for number, (before, word) in enumerate(pairwise(words), 1):
            place = offsets[number][0]
            far = place - found[-1][0] >= STRIDE
            if far and word != before and text[place].isspace() and not text[place - 1].isspace():
                found.append((place, number))
        return found if self._hold(found, text, whole) else found[:1]

    def _hold(self, seams: Sequence[Seam], text: str, whole: tokenizers.Encoding) -> bool:
        """Whether the parts have the tokens that they have in the whole."""
        bounds = [*seams, (len(text), len(whole))]
        parts = [text[start:end] for (start, _), (end, _) in pairwise(bounds)]
        encoded = self._backend.encode_batch_fast(parts, add_special_tokens=False)
        return [token for part in encoded for token in part.ids] == whole.ids


def _shares(through: Sequence[int]) -> list[int]:
    """The tokens of each chunk, from those of the text through it."""
    kept = list(accumulate(reversed(through), min))[::-1]
    return [after - before for before, after in pairwise([0, *kept])]
