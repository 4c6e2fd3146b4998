"""Texts that look for trouble: drawn fast by `random`, or by Hypothesis, which makes them small.

Both put together the same pieces: what the signals count, every odd kind of character, repetitions,
long words and long lines.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from openhearth.data.signals import FAMILIES, Lists, Weights, compute

WORDS = (  # noqa: SIM905
    "the The THE be to of and that have with a I an is it you one two word words Word WORD dont "
    "don't won't I'm it's we've they'll he'd 'tis rock'n'roll x_y _ __init__ a-b co-op--op a---b "
    "well-known 3-4 10-year 1,000 3.14 .5 5. v1.2.3 U.S. U.S.A. e.g. i.e. etc. Mr. AT&T C++ C# 50% "
    "$5 5$ +5 5+ (a) [1] [12] [edit] [citation needed] {x} <b> a/b a=b a<b a:b a~b a+b 2+2 2*3 2^3 "
    "1-1 a,b A,B 1,2 a.B a.b A.B end.Next end.'Next lorem ipsum LOREM IPSUM lorem\tipsum "
    "loremipsum JavaScript javascript JAVASCRIPT Terms of Use privacy policy Cookie Policy uses "
    "cookies use of cookies use cookies bad very bad one two three four five likes 3 likes 1.5k "
    "views 12,000 followers 7 Likes! items in cart Sign-in sign-in Read more... read more... foo "
    "mail@example.org a.b+c@mail.example.com @ user@ @host 127.0.0.1 256.1.1.1 1.2.3.4.5 010.1.1.1 "
    "(555) 123-4567 555-123-4567 5551234567 555.123.4567x https://example.org/a?b=c#d www.x.org"
).split(" ")
PHRASES = (
    "lorem ipsum", "LOREM IPSUM", "Lorem  Ipsum", "terms of use", "Terms Of Use", "privacy policy",
    "cookie policy", "uses cookies", "use of cookies", "use cookies", "citation needed",
    "[citation needed]", "very bad", "one two three", "one two three four", "3 likes",
    "1.5k views", "12,000\u00a0followers", "(7 Likes)", "items in cart", "Read more...", ". . .",
    "user@example.org", "(555) 123-4567", "555 123 4567", "{ }", "#", "# #", "...", "....",
    "\u2026", "\u2026\u2026", "?!", "!?!", ". ", "! ", "? ", "\u3002", "\u061f ", "\u0964 ",
)  # fmt: skip
SPACES = (
    " ", " ", " ", "  ", "\n", "\n", "\n\n", "\n\n\n", "\n \n", "\r\n", "\r\n\r\n", "\r", "\t",
    "\n- ", "\n* ", "\n\u2022 ", "\n\u25cf ", "\n\u2013 ", "\n  \u25aa", "...\n", "\u2026\n", ".\n",
    "\u201d\n", '"\n', "!\n", "? \n", "\u00a0", "\u2028", "\u2029", "\u3000", "\u0085", "\x0b",
    "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\u200b", "\ufeff", "\u1680", "\u2003",
)  # fmt: skip
# Where cases and decompositions are odd: sharp and long s, dotted and dotless i, sigmas, digraphs
# in title case, ligatures, Kelvin and angstrom, marks out of order, marks that case looks through.
ODD = (
    "\u00df\u1e9e\u017f\u0130\u0131\u0069\u0307\u03a3\u03c3\u03c2\u01c4\u01c5\u01c6\u01f2\u1f88\u1fbc"
    "\ufb01\ufb03\u212a\u212b\u0041\u030a\u00c5\u0344\u0385\u0390\u1fef\u2126\u0958\u0f73\u0f77"
    "\u0323\u0307\u0301\u0345\u0300\u05b0\u094d\u3099\u302a\u00ad\u2019\u00b7\u0387\u02b0\u00aa\u00ba"
    "\u2160\u2170\u24b6\u24d0\u00bd\u00b2\u2155\u0663\u096b\u4e09\u3007\u0f33\u1369\u2474\uff11"
    "\uac00\uac01\ud7a3\u1100\u1161\u11a8\u05d0\u0627\u0e01\u0e33\u4e2d\u3042\u30ab\uff76\uff9e\u0928"
    "\u200d\u200c\u2060\ufe0f\u20e3\U0001f600\U0001f1e9\U0001f3fd\U00010400\U0001d400\U0001d7d8"
    "\U0001e921\U000118a0\U000e0041\U0010ffff\ufffd\ufffe\u0000\u0001\u007f\u0080\u009f\u00ab\u00bb"
    "\u201c\u201d\u201e\u2018\u201a\u2013\u2014\u2015\u2026\u061f\u060c\u0964\u3001\u3002\uff01\uff0e"
    "\u00a3\u20ac\u00a7\u00bf\u00a1\u2030\u2044\u203f\u2040\u2054\ufe33\uff3f"
)
# Blocks of scripts, from which some letters are drawn together.
BLOCKS = (
    (0x20, 0x7E), (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x531, 0x58F), (0x590, 0x5F4), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE5B),
    (0x10A0, 0x10FF), (0x13A0, 0x13FD), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x218F),
    (0x2460, 0x24FF), (0x2C00, 0x2DFF), (0x3000, 0x30FF), (0x4E00, 0x4EFF), (0xA640, 0xA7FF),
    (0xAB70, 0xABBF), (0xAC00, 0xACFF), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF),
    (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F100, 0x1F6FF), (0x80, 0xD7FF),
    (0xE000, 0x10FFFF),
)  # fmt: skip

LISTS = {
    "en": Lists(
        frozenset(["the", "and", "of", "a", "I", "don", "t", "\u00fcber"]),
        frozenset(["bad", "very bad", "one two three", "two three four five", "u\u0308ber", "x_y"]),
    ),
    "de": Lists(frozenset(["der", "und"]), frozenset()),
}
LANGUAGES = ("en", "en", "de", "xx")  # of the last there are no lists
WEIGHTS = Weights(("books", "news"), np.random.default_rng(7).normal(size=(97, 2)))


def random_text(random: Random) -> str:
    """A text of a few pieces, or of some hundred."""
    pieces = [_piece(random) for _ in range(random.choice((0, 1, 2, 3, 5, 8, 13, 21, 34, 80)))]
    if pieces and random.random() < 0.4:  # repeat a run of them
        at = random.randrange(len(pieces))
        run = pieces[at : at + random.randint(1, 14)]
        pieces += [*run, *pieces[: random.randint(0, 2)]] * random.randint(1, 4)
    return "".join(pieces)


def _piece(random: Random) -> str:
    kind = random.random()
    if kind < 0.45:
        return random.choice(WORDS) + random.choice((" ", " ", " ", random.choice(SPACES)))
    if kind < 0.6:
        return random.choice(SPACES)
    if kind < 0.7:
        return random.choice(PHRASES)
    if kind < 0.85:
        return "".join(random.choices(ODD, k=random.choice((1, 1, 2, 3))))
    if kind < 0.995:
        first, last = random.choice(BLOCKS)
        return "".join(chr(random.randint(first, last)) for _ in range(random.randint(1, 8)))
    return random.choice(("a", "x1", "\u00e9", ".", "-", "'")) * random.choice((31, 63, 300, 1001))


_pieces = st.one_of(
    st.sampled_from(sorted({*WORDS})).map(lambda word: word + " "),
    st.sampled_from(SPACES),
    st.sampled_from(PHRASES),
    st.text(st.sampled_from(ODD), min_size=1, max_size=3),
    st.text(min_size=1, max_size=8),
)
_prose = st.lists(_pieces, max_size=40).map("".join)


@st.composite
def _repeating(draw: st.DrawFn) -> str:
    run = draw(st.lists(_pieces, min_size=1, max_size=12))
    between = draw(st.lists(_pieces, min_size=1, max_size=4))
    return "".join("".join(run) + piece for piece in between)


any_text = st.one_of(_prose, _repeating(), st.text(max_size=120))


def differences(texts: list[str], first: int = 0) -> list[tuple[int, str]]:
    """Which texts have which columns in which the native pass and plain Python disagree."""
    languages = [LANGUAGES[(first + i) % len(LANGUAGES)] for i in range(len(texts))]
    settings = {"lists": LISTS, "languages": languages, "weights": WEIGHTS}
    native = compute(texts, tuple(FAMILIES), **settings)
    plain = compute(texts, tuple(FAMILIES), **settings, native=False)
    if native.equals(plain):
        return []
    return [
        (i, name)
        for name in plain.column_names
        for i in range(len(texts))
        if not _same(native.column(name)[i], plain.column(name)[i])
    ]


def _same(a: pa.Scalar, b: pa.Scalar) -> bool:
    return a.as_py() == b.as_py()
