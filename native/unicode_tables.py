"""Writes the tables behind unicode.h, from the Unicode database of the Python that builds us.

So the native pass and the plain Python reference agree on every character, whatever version of
Unicode this Python knows. Usage: python unicode_tables.py OUTPUT
"""

import runpy
import sys
import unicodedata
from pathlib import Path

SETS = runpy.run_path(str(Path(__file__).parents[1] / "src/openhearth/data/signals/characters.py"))
PAGE = 256
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic
SIGMA = "\u03a3"

# The bits of a character's properties; unicode.h has the same list.
WORD, SPACE, UPPER, LOWER, NUMERIC, ALPHA, CASED, IGNORABLE, FOLDS = (1 << i for i in range(9))
SYMBOL, TERMINAL, OPENS, CLOSES, QUOTE, PUNCTUATION, LETTER = (1 << i for i in range(9, 16))


def properties(c: str) -> int:
    """What the `str` methods and `re` say of a character, as bits."""
    # How `lower` writes a final sigma tells which characters it looks through, and which have case.
    final = ("A" + c + SIGMA).lower()[-1] == "\u03c2"
    final_alone = (" " + c + SIGMA).lower()[-1] == "\u03c2"
    tests = {
        WORD: c.isalnum() or c == "_",
        SPACE: c.isspace(),
        UPPER: c.isupper(),
        LOWER: c.islower() or (c.istitle() and not c.isupper()),
        NUMERIC: c.isnumeric(),
        ALPHA: c.isalpha(),
        CASED: final and final_alone,
        IGNORABLE: final and not final_alone,
        FOLDS: folded(c) != c or unicodedata.combining(c) != 0 or c == SIGMA,
        SYMBOL: c in SETS["SYMBOLS"],
        TERMINAL: c in SETS["TERMINAL"],
        OPENS: c in SETS["OPENS"],
        CLOSES: c in SETS["CLOSES"],
        QUOTE: c in SETS["QUOTES"],
        PUNCTUATION: unicodedata.category(c).startswith("P"),
        LETTER: c.isascii() and c.isalpha(),
    }
    return sum(bit for bit, holds in tests.items() if holds)


def folded(c: str) -> str:
    """Lower case, canonically decomposed."""
    return unicodedata.normalize("NFD", c.lower())


def paged(values: list[int]) -> tuple[list[int], list[int]]:
    """The values as an index of pages, and the distinct pages end to end."""
    known: dict[tuple[int, ...], int] = {}
    index = []
    for start in range(0, len(values), PAGE):
        index.append(known.setdefault(tuple(values[start : start + PAGE]), len(known)))
    return index, [value for page in known for value in page]


def ends(holds: list[bool]) -> list[int]:
    """Where runs of characters for which something holds begin and end, in turn."""
    return [i for i in range(len(holds)) if holds[i] != (i > 0 and holds[i - 1])]


def array(kind: str, name: str, values: list[int]) -> str:
    return f"constexpr {kind} {name}[] = {{{','.join(map(str, values))}}};\n"


def main(output: Path) -> None:
    characters = [chr(i) for i in range(sys.maxunicode + 1)]
    # Surrogates never come in: the texts are UTF-8.
    known = [not 0xD800 <= ord(c) <= 0xDFFF for c in characters]
    bits = [properties(c) if ok else 0 for c, ok in zip(characters, known, strict=True)]
    classes = [unicodedata.combining(c) for c in characters]
    places, pool = [0] * len(characters), [0]
    for i, c in enumerate(characters):
        if bits[i] & FOLDS and i not in HANGUL and folded(c) != c:
            places[i] = len(pool)
            pool += [len(folded(c)), *map(ord, folded(c))]
    text = f"// Unicode {unicodedata.unidata_version}, by unicode_tables.py.\n"
    for kind, name, values in (
        ("uint16_t", "BITS", bits),
        ("uint8_t", "CLASSES", classes),
        ("uint16_t", "FOLDED", places),
    ):
        index, pages = paged(values)
        text += array("uint16_t", f"{name}_INDEX", index) + array(kind, f"{name}_PAGES", pages)
    text += array("uint32_t", "FOLDED_POOL", pool)
    numbers = [c.isnumeric() and not c.isdigit() for c in characters]
    output.write_text(text + array("uint32_t", "NUMBERS", ends(numbers)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
