"""Sets of characters that the signals look for. The native tables are made from this file as well.

It imports nothing, because `native/unicode_tables.py` reads it before the package is built.
"""


def _characters(ranges: str) -> frozenset[str]:
    """The characters of ranges of code points in hexadecimal, such as `21 2e 61d-61f`."""
    ends = [part.split("-") for part in ranges.split()]
    return frozenset(
        chr(i) for pair in ends for i in range(int(pair[0], 16), int(pair[-1], 16) + 1)
    )


# The ends of sentences in all scripts: Sentence_Terminal of Unicode (UAX #44), which FineWeb tests.
TERMINAL = _characters(
    "21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e "
    "1735-1736 17d4-17d6 17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e "
    "1c3b-1c3c 1c7e-1c7f 203c-203d 2047-2049 2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 "
    "a6f7 a876-a877 a8ce-a8cf a92f a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e "
    "ff1f ff61 10a56-10a57 10f55-10f59 10f86-10f89 11047-11048 110be-110c1 11141-11143 "
    "111c5-111c6 111cd 111de-111df 11238-11239 1123b-1123c 112a9 1144b-1144c 115c2-115c3 "
    "115c9-115d7 11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c 11c41-11c42 "
    "11ef7-11ef8 11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 16e98 1bc9f 1da88"
)
# A word of these alone is no word to Gopher's rules, as datatrove applies them.
SYMBOLS = TERMINAL | _characters(
    "0-8 b-1f 22-2d 2f 3a-3e 40 5b-60 7b-9f ab b4 bb 2013-2014 2019 201c-201e 2026 2236 2501 "
    "25ba 3001 3008-300d 3010-3011 ff05 ff08-ff09 ff0c ff11 ff1a-ff1b ff5e"
)
QUOTES = frozenset("'\"`" + "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4")
# What is split off the beginning and the end of a word, one character at a time.
_BOTH = QUOTES | frozenset(
    ",:;!?()[]{}<>_#*&"
    "\u2026\u2013\u2014\u00bf\u00a1\u00b7"  # ellipsis, dashes, Spanish and middle marks
    "\u061f\u060c\u061b\u066a\u06d4\u0964"  # Arabic and Indian marks
    "\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\uff5e"  # full-width marks
    "\u3008\u3009\u300a\u300b\u300c\u300d\u300e\u300f"  # brackets of East Asia
    "\u3010\u3011\u3014\u3015\uff08\uff09"
)
OPENS = _BOTH | frozenset("§%=+$£€")
CLOSES = _BOTH
