"""Words as spaCy's English tokenizer splits them, nearly: punctuation and contractions apart.

datatrove counts such words for Gopher's and FineWeb's rules. Left out of spaCy's rules are its
lists of abbreviations (`e.g.`), of emoticons and units, and URLs kept whole.
"""

from __future__ import annotations

from openhearth.data.signals.characters import CLOSES, OPENS, QUOTES

CONTRACTIONS = ("n't", "'s", "'S", "'re", "'ve", "'ll", "'d", "'m")
LINKS = ":<>=/~\u2013\u2014"  # between a word and a letter


def tokens(text: str) -> list[str]:
    """The tokens of a text; spaces are none."""
    return [token for word in text.split() for token in _split(word)]


def _split(word: str) -> list[str]:
    opening: list[str] = []
    closing: list[str] = []
    before = None
    while word and word != before:
        before = word
        taken = _opening(word)
        opening += [word[:taken]] if taken else []
        word = word[taken:]
        taken = _closing(word)
        closing += [word[-taken:]] if taken else []
        word = word[: len(word) - taken]
    stem = len(word) - _contraction(word)
    return [*opening, *_inner(word[:stem]), *_inner(word[stem:]), *reversed(closing)]


def _opening(word: str) -> int:
    """How many characters are split off the beginning: one, or a run of points."""
    if word[0] in OPENS:
        return 0 if word[0] == "+" and _is_digit(word[1:2]) else 1
    points = len(word) - len(word.lstrip("."))
    return points if points > 1 else 0


def _closing(word: str) -> int:
    """How many characters are split off the end: also a point, after what is no abbreviation."""
    if not word:
        return 0
    if word[-1] in CLOSES:
        return 1
    if word[-1] == ".":
        points = len(word) - len(word.rstrip("."))
        return points if points > 1 else int(_ends_sentence(word))
    return int(word[-1] in "%+$" and _is_digit(word[-2:-1]))


def _ends_sentence(word: str) -> bool:
    last = word[-2:-1]
    if not last:
        return False
    if _is_digit(last) or _is_lower(last) or last in CLOSES or last in "%\u00b2-+":
        return True
    return len(word) > 2 and last.isupper() and word[-3].isupper()


def _contraction(word: str) -> int:
    """How many characters of a contraction the word ends with."""
    plain = word.replace("\u2019", "'")
    return next((len(c) for c in CONTRACTIONS if plain.endswith(c) and len(c) < len(word)), 0)


def _inner(word: str) -> list[str]:
    """What stands between separators, and the separators."""
    parts: list[str] = []
    begin = i = 0
    while i < len(word):
        taken = _separator(word, i)
        if not taken:
            i += 1
            continue
        parts += [word[begin:i], word[i : i + taken]]
        begin = i = i + taken
    return [part for part in [*parts, word[begin:]] if part]


def _separator(word: str, i: int) -> int:
    """How many characters of a separator stand at `i`."""
    c = word[i]
    if c == "\u2026":
        return 1
    points = len(word) - i - len(word[i:].lstrip("."))
    if points > 1:
        return points
    if i == 0 or i + 1 == len(word):
        return 0
    last, following = word[i - 1], word[i + 1]
    after_number = _is_digit(last) and (_is_digit(following) or following == "-")
    if c == ".":
        opens = following.isupper() or following in QUOTES
        return int(opens and (_is_lower(last) or last in QUOTES))
    if c == ",":
        return int(last.isalpha() and following.isalpha())
    if c in LINKS:
        return int(last.isalnum() and following.isalpha())
    if c in "+*^":
        return int(after_number)
    if c != "-" or after_number:
        return int(c == "-")
    fits = (
        n for n in (3, 2, 1) if word[i : i + n] == "-" * n and word[i + n : i + n + 1].isalpha()
    )
    return next(fits, 0) if last.isalnum() else 0


def _is_digit(c: str) -> bool:
    return c.isascii() and c.isdigit()


def _is_lower(c: str) -> bool:
    """Lower case, or title case, which has a lower part."""
    return c.islower() or (c.istitle() and not c.isupper())
