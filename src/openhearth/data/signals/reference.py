"""RedPajama-V2's quality signals in plain Python: the readable definition of what is computed.

The native pass is held equal to this. Definitions: RedPajama-Data, `app/src/core/quality_signals`;
Weber et al. 2024, arXiv:2411.12372. Values that are undefined for a text are None.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise

PUNCTUATION = str.maketrans("", "", string.punctuation)
RAW_WORD = re.compile(r"\w+|[^\w\s]+")
SENTENCE = re.compile(r"\b[^.!?]+[.!?]*")
LINE = re.compile(r"[^\n]*\n|[^\n]+$")
LETTER = re.compile(r"[a-zA-Z]")
TERMINAL = (".", "!", "?", "\u201d")
ELLIPSES = ("...", "\u2026")
BULLETS = tuple("\u2022\u2023\u25b6\u25c0\u25e6\u25a0\u25a1\u25aa\u25ab\u2013")
# A short list of our own: the most frequent function words of English, as the raw words meet them.
STOP_WORD_LIST = (
    "a about after all also am an and any are as at be because been but by can could do for "
    "from had has have he her his how i if in into is it its just me more my no not of on "
    "one only or other our out over she so some such than that the their them then there "
    "these they this to up was we were what when which who will with would you your"
)
STOP_WORDS = frozenset(STOP_WORD_LIST.split())

Value = float | None


def normalise(text: str) -> str:
    """Without ASCII punctuation, lower case, single spaces, NFD."""
    return unicodedata.normalize("NFD", " ".join(text.translate(PUNCTUATION).lower().split()))


class Views:
    """A text as the signals look at it; each view is made once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def words(self) -> list[str]:
        """Words of the normalised text."""
        return normalise(self.text).split()

    @cached_property
    def raw_words(self) -> list[str]:
        """Runs of word characters, and of punctuation, as they stand."""
        return RAW_WORD.findall(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """Lines with their newline."""
        return LINE.findall(self.text)


def _share(count: float, total: int) -> Value:
    return count / total if total else None


def _top_ngram(n: int) -> Callable[[Views], Value]:
    def signal(views: Views) -> Value:
        grams = Counter(_ngrams(views.words, n))
        if not grams:
            return 0.0
        gram, count = max(grams.items(), key=lambda item: item[1])
        total = sum(map(len, views.words))
        return 0.0 if count <= 1 or not total else sum(map(len, gram)) * count / total

    return signal


def _duplicate_ngrams(n: int) -> Callable[[Views], Value]:
    def signal(views: Views) -> Value:
        total = sum(map(len, views.words))
        if len(views.words) < n or not total:
            return 0.0
        grams = _ngrams(views.words, n)
        often = {gram for gram, count in Counter(grams).items() if count > 1}
        marked = {at + i for at, gram in enumerate(grams) if gram in often for i in range(n)}
        return sum(len(views.words[at]) for at in marked) / total

    return signal


def _ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def _word_count(views: Views) -> Value:
    return float(len(views.words))


def _mean_word_length(views: Views) -> Value:
    return _share(sum(map(len, views.words)), len(views.words))


def _symbol_to_word_ratio(views: Views) -> Value:
    return _share(sum(map(views.text.count, ("#", *ELLIPSES))), len(views.raw_words))


def _lines_end_with_ellipsis(views: Views) -> Value:
    return _share(sum(x.rstrip().endswith(ELLIPSES) for x in views.lines), len(views.lines))


def _no_alphabetic_words(views: Views) -> Value:
    alphabetic = sum(LETTER.search(word) is not None for word in views.raw_words)
    share = _share(alphabetic, len(views.raw_words))
    return None if share is None else 1 - share


def _unique_words(views: Views) -> Value:
    return _share(len(set(views.words)), len(views.words))


def _unigram_entropy(views: Views) -> Value:
    total = len(views.words)
    if not total:
        return None
    return -math.fsum(c / total * math.log(c / total) for c in Counter(views.words).values())


def _all_caps_words(views: Views) -> Value:
    return _share(sum(word.isupper() for word in views.raw_words), len(views.raw_words))


def _stop_words(views: Views) -> Value:
    if not views.words:
        return 0.0
    return _share(sum(word in STOP_WORDS for word in views.raw_words), len(views.raw_words))


def _curly_brackets(views: Views) -> Value:
    count = views.text.count("{") + views.text.count("}")
    return count / len(views.text) if views.text else 0.0


def _lorem_ipsum(views: Views) -> Value:
    text = normalise(views.text)
    return text.count("lorem ipsum") / len(text) if text else 0.0


def _sentences(views: Views) -> Value:
    return float(len(SENTENCE.findall(views.text)))


DOCUMENT: dict[str, Callable[[Views], Value]] = {
    "rps_doc_word_count": _word_count,
    "rps_doc_mean_word_length": _mean_word_length,
    "rps_doc_symbol_to_word_ratio": _symbol_to_word_ratio,
    "rps_doc_frac_lines_end_with_ellipsis": _lines_end_with_ellipsis,
    "rps_doc_frac_no_alph_words": _no_alphabetic_words,
    "rps_doc_frac_unique_words": _unique_words,
    "rps_doc_unigram_entropy": _unigram_entropy,
    "rps_doc_frac_all_caps_words": _all_caps_words,
    "rps_doc_stop_word_fraction": _stop_words,
    "rps_doc_curly_bracket": _curly_brackets,
    "rps_doc_lorem_ipsum": _lorem_ipsum,
    "rps_doc_num_sentences": _sentences,
    **{f"rps_doc_frac_chars_top_{n}gram": _top_ngram(n) for n in (2, 3, 4)},
    **{f"rps_doc_frac_chars_dupe_{n}grams": _duplicate_ngrams(n) for n in range(5, 11)},
}
LINES: dict[str, Callable[[str], float]] = {
    "rps_lines_ending_with_terminal_punctution_mark": lambda x: float(
        x.rstrip().endswith(TERMINAL)
    ),
    "rps_lines_num_words": lambda x: float(len(normalise(x).split())),
    "rps_lines_uppercase_letter_fraction": lambda x: sum(map(str.isupper, x)) / len(x),
    "rps_lines_start_with_bulletpoint": lambda x: float(x.lstrip().startswith(BULLETS)),
    "rps_lines_javascript_counts": lambda x: float(normalise(x).split().count("javascript")),
}


def document_signals(text: str) -> list[Value]:
    """The values of `DOCUMENT`, in its order, rounded to eight decimals."""
    views = Views(text)
    values = [signal(views) for signal in DOCUMENT.values()]
    return [None if value is None else round(value, 8) for value in values]


def line_signals(text: str) -> list[list[float]]:
    """For each of `LINES`, in its order, one value per line, rounded to eight decimals."""
    lines = LINE.findall(text)
    return [[round(signal(line), 8) for line in lines] for signal in LINES.values()]


def line_spans(text: str) -> list[tuple[int, int]]:
    """Where each line begins and ends, in characters."""
    ends = [0]
    for line in LINE.findall(text):
        ends.append(ends[-1] + len(line))
    return list(pairwise(ends))
