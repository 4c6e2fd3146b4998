"""RedPajama-V2's quality signals in plain Python: the readable definition of what is computed.

Definitions: RedPajama-Data, `app/src/core/quality_signals`; Weber et al. 2024, arXiv:2411.12372.
Values that are undefined for a text are None. The signals that need models or metadata are in
`scores.py`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable

from openhearth.data.signals.views import (
    Document,
    Lines,
    Value,
    Views,
    characters,
    ngrams,
    share,
)

SENTENCE = re.compile(r"\b[^.!?]+[.!?]*")
LETTER = re.compile(r"[a-zA-Z]")
LOREM_IPSUM = re.compile("lorem ipsum", re.IGNORECASE)
TERMINAL = (".", "!", "?", "\u201d")
ELLIPSES = ("...", "\u2026")
BULLETS = tuple("\u2022\u2023\u25b6\u25c0\u25e6\u25a0\u25a1\u25aa\u25ab\u2013")


def _curly_bracket(views: Views) -> Value:
    return share(sum(map(views.text.count, "{}")), len(views.text)) or 0.0


def _bad_words(views: Views) -> Value:
    entries = views.lists.bad_words
    lengths = {1 + entry.count(" ") for entry in entries}
    grams = (" ".join(gram) for n in lengths for gram in ngrams(views.words, n))
    return float(sum(gram in entries for gram in grams))


def _lorem_ipsum(views: Views) -> Value:
    text = " ".join(views.words)
    found = LOREM_IPSUM.findall(text) if "lorem ipsum" in text else ()
    return share(len(found), len(text)) or 0.0


def _stop_words(views: Views) -> Value:
    if not views.words:
        return 0.0
    return share(sum(w in views.lists.stop_words for w in views.raw_words), len(views.raw_words))


def _all_caps_words(views: Views) -> Value:
    return share(sum(map(str.isupper, views.raw_words)), len(views.raw_words))


def _lines_end_with_ellipsis(views: Views) -> Value:
    return share(sum(x.rstrip().endswith(ELLIPSES) for x in views.lines), len(views.lines))


def _no_alphabetic_words(views: Views) -> Value:
    lettered = sum(LETTER.search(word) is not None for word in views.raw_words)
    found = share(lettered, len(views.raw_words))
    return None if found is None else 1.0 - found


def _unique_words(views: Views) -> Value:
    return share(len(set(views.words)), len(views.words))


def _mean_word_length(views: Views) -> Value:
    return share(characters(views.words), len(views.words))


def _num_sentences(views: Views) -> Value:
    return float(len(SENTENCE.findall(views.text)))


def _symbol_to_word_ratio(views: Views) -> Value:
    return share(sum(map(views.text.count, ("#", *ELLIPSES))), len(views.raw_words))


def _unigram_entropy(views: Views) -> Value:
    total = len(views.words)
    if not total:
        return None
    entropy = 0.0
    # One after the other, as the words are first met: `sum` adds differently from Python 3.12 on.
    for count in Counter(views.words).values():
        entropy += -count / total * math.log(count / total)
    return entropy


def _word_count(views: Views) -> Value:
    return float(len(views.words))


def _top_ngram(n: int) -> Callable[[Views], Value]:
    def signal(views: Views) -> Value:
        most = Counter(ngrams(views.words, n)).most_common(1)
        if not most or most[0][1] <= 1:
            return 0.0
        gram, count = most[0]
        return characters(gram) * count / characters(views.words)

    return signal


def _duplicate_ngrams(n: int) -> Callable[[Views], Value]:
    def signal(views: Views) -> Value:
        grams = ngrams(views.words, n)
        often = {gram for gram, count in Counter(grams).items() if count > 1}
        marked = {at + i for at, gram in enumerate(grams) if gram in often for i in range(n)}
        return share(sum(len(views.words[at]) for at in marked), characters(views.words)) or 0.0

    return signal


DOCUMENT: Document = {
    "rps_doc_curly_bracket": _curly_bracket,
    "rps_doc_ldnoobw_words": _bad_words,
    "rps_doc_lorem_ipsum": _lorem_ipsum,
    "rps_doc_stop_word_fraction": _stop_words,
    "rps_doc_frac_all_caps_words": _all_caps_words,
    "rps_doc_frac_lines_end_with_ellipsis": _lines_end_with_ellipsis,
    "rps_doc_frac_no_alph_words": _no_alphabetic_words,
    "rps_doc_frac_unique_words": _unique_words,
    "rps_doc_mean_word_length": _mean_word_length,
    "rps_doc_num_sentences": _num_sentences,
    "rps_doc_symbol_to_word_ratio": _symbol_to_word_ratio,
    "rps_doc_unigram_entropy": _unigram_entropy,
    "rps_doc_word_count": _word_count,
    **{f"rps_doc_frac_chars_top_{n}gram": _top_ngram(n) for n in (2, 3, 4)},
    **{f"rps_doc_frac_chars_dupe_{n}grams": _duplicate_ngrams(n) for n in range(5, 11)},
}


def _ends_with_terminal_mark(views: Views) -> list[Value]:
    return [float(line.rstrip().endswith(TERMINAL)) for line in views.lines]


def _javascript_counts(views: Views) -> list[Value]:
    return [float(line.split().count("javascript")) for line in views.normalised_lines]


def _num_words(views: Views) -> list[Value]:
    return [float(len(line.split())) for line in views.normalised_lines]


def _numerical_characters(views: Views) -> list[Value]:
    return [share(sum(map(str.isnumeric, x)), len(x)) or 0.0 for x in views.normalised_lines]


def _starts_with_bullet(views: Views) -> list[Value]:
    return [float(line.lstrip().startswith(BULLETS)) for line in views.lines]


def _uppercase_letters(views: Views) -> list[Value]:
    return [sum(map(str.isupper, line)) / len(line) for line in views.lines]


LINES: Lines = {
    "rps_lines_ending_with_terminal_punctution_mark": _ends_with_terminal_mark,  # sic
    "rps_lines_javascript_counts": _javascript_counts,
    "rps_lines_num_words": _num_words,
    "rps_lines_numerical_chars_fraction": _numerical_characters,
    "rps_lines_start_with_bulletpoint": _starts_with_bullet,
    "rps_lines_uppercase_letter_fraction": _uppercase_letters,
}
