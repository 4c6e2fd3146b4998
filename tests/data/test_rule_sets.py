"""The shipped sets against the filters that they stand for, on documents that meet one rule each.

The documents are written for this project: one that breaks a rule, and mostly one that keeps it by
a hair. What the others' filters said of each was recorded from datatrove 0.10.1 (with spaCy
3.8.18), from the taggers and the mixer of Dolma 1.2.1 with the rules of its version 1.5, and from
the functions of DCLM's `dclm_baseline_refinedweb.yaml` (commit 3617146).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import pyarrow as pa
import pytest

from openhearth.data.filter import needed
from openhearth.data.rules import Rule, load_rules, shipped
from openhearth.data.signals import compute
from openhearth.data.verdicts import judge, kept_text

PAGE = (Path(__file__).parents[2] / "docs/reference/rule-sets.md").read_text()


@dataclass(frozen=True)
class Case:
    """A document, the rule of the set that removes it (none: kept), and the other's own reason."""

    name: str
    text: str
    rule: str = ""
    reason: str = ""


def words(count: int, length: int = 5, first: int = 0) -> list[str]:
    """Different words of so many letters."""
    letters = product("bdfgklmnprtvz", repeat=length)
    return ["".join(word) for word in islice(letters, first, first + count)]


def prose(count: int, *more: str, length: int = 5) -> str:
    """So many words, two stop words among them, and something more."""
    return " ".join(["the", "of", *words(count - 2, length), *more])


def lines(count: int, width: int, starts: str = "", ends: str = "", marked: int = 0) -> str:
    """So many lines of so many words; some are marked at their beginning or end."""
    rows = [" ".join(words(width, first=width * i)) for i in range(count)]
    rows[-1] = f"the of {rows[-1]}"
    return "\n".join(
        f"{starts}{row}{ends}" if i < marked else f"{row} and" for i, row in enumerate(rows)
    )


def again(part: str, others: list[str], end: str) -> str:
    """A part before each of the others, and after the last."""
    return end.join([part, *(f"{other}{end}{part}" for other in others)])


def between(part: str, count: int, gap: int, length: int = 5) -> str:
    """A part so many times, with different words between."""
    return " ".join(" ".join([part, *words(gap, length, first=gap * i)]) for i in range(count))


def phrase(n: int, size: int) -> str:
    """n words of `size` characters in all. The last is the longest, so that no shorter n-gram that
    is met first has many characters.
    """
    short = [f"{c}x" for c in "bdfgklmnpr"[: n - 1]]
    return " ".join([*short, "z" * (size - 2 * (n - 1))])


def twice(n: int, share: float) -> str:
    """A text of 1,000 characters; a phrase of n words is there again and has `share` of them."""
    part = phrase(n, round(1000 * share))
    text = f"{part} vvv {part} " + " ".join(words(160))
    return text[:1000]


SENTENCES = [
    "The first house stands at the river.",
    "A second one was built on the hill!",
    "Who lives in the third of them?",
    'Nobody knew, but someone said "we do."',
    "The last one is empty since the war.",
]
FIVE = "\n".join(SENTENCES)

GOPHER_QUALITY = [
    Case("49 words", prose(49), "words", "gopher_short_doc"),
    Case("50 words", prose(50)),
    Case("symbols are no words", prose(49, ", ; -"), "words", "gopher_short_doc"),
    Case(
        "mean below 3",
        " ".join(["the", "and", "of", *words(60, 3)]),
        "word-length",
        "gopher_below_avg_threshold",
    ),
    Case("mean of 3", " ".join(["the", "and", *words(60, 3)])),
    Case("mean of 10", " ".join(["the", "and", *words(44, 10), *words(14, 11)])),
    Case(
        "mean above 10",
        " ".join(["the", "and", *words(43, 10), *words(15, 11)]),
        "word-length",
        "gopher_above_avg_threshold",
    ),
    Case("a tenth of hashes", "# " * 6 + prose(54)),
    Case("more hashes", "# " * 7 + prose(54), "hashes", "gopher_too_many_hashes"),
    Case("a tenth of ellipses", "… " * 6 + prose(54)),
    Case("more ellipses", "… " * 7 + prose(54), "ellipses", "gopher_too_many_ellipsis"),
    Case("9 of 10 bullets", lines(10, 6, "- ", marked=9)),
    Case("10 of 10 bullets", lines(10, 6, "• ", marked=10), "bullets", "gopher_too_many_bullets"),
    Case("3 of 10 lines cut off", lines(10, 6, ends="...", marked=3)),
    Case(
        "4 of 10 lines cut off",
        lines(10, 6, ends="…", marked=4),
        "ellipsis-lines",
        "gopher_too_many_end_ellipsis",
    ),
    Case("a fifth of numbers", prose(60, *map(str, range(100, 115)))),
    Case(
        "more numbers",
        prose(60, *map(str, range(100, 116))),
        "alphabetic",
        "gopher_below_alpha_threshold",
    ),
    Case("two stop words", " ".join(["to", "with", *words(60)])),
    Case(
        "one stop word, twice",
        " ".join(["the", "the", *words(60)]),
        "stop-words",
        "gopher_enough_stop_words",
    ),
    Case("nothing", "", "words", "gopher_short_doc"),
]

LONG = [" ".join(words(8, first=8 * i)) for i in range(30)]
BLOCKS = ["\n".join(LONG[3 * i : 3 * i + 3]) for i in range(6)]
PASSAGE = " ".join(LONG[20:25])
GOPHER_REPETITION = [
    Case("nothing", "", "empty", "empty"),
    Case(
        "4 of 10 paragraphs again",
        "\n\n".join([again("bx", BLOCKS[:4], "\n\n"), BLOCKS[4]]),
        "dup-paras",
        "dup_para_frac",
    ),
    Case("3 of 10 paragraphs again", "\n\n".join([again("bx", BLOCKS[:3], "\n\n"), *BLOCKS[3:]])),
    Case(
        "a long paragraph again",
        again(PASSAGE, ["\n\n".join(LONG[:11])], "\n\n"),
        "dup-para-chars",
        "dup_para_char_frac",
    ),
    Case(
        "4 of 10 lines again",
        "\n".join([again("bx", LONG[:4], "\n"), LONG[4]]),
        "dup-lines",
        "dup_line_frac",
    ),
    Case("3 of 10 lines again", "\n".join([again("bx", LONG[:3], "\n"), *LONG[3:6]])),
    Case(
        "a long line again",
        again(PASSAGE, ["\n".join(LONG[:11])], "\n"),
        "dup-line-chars",
        "dup_line_char_frac",
    ),
    Case("2-gram of a fifth", between("bx dx", 10, 3, 6)[:-1]),
    Case("2-gram of more", between("bxx dx", 10, 3), "top-2gram", "top_2_gram"),
    Case("3-gram of more", between("bx dx fx", 10, 5), "top-3gram", "top_3_gram"),
    Case("4-gram of more", between("bx dx fx gx", 10, 9), "top-4gram", "top_4_gram"),
    *(
        Case(
            f"{n}-gram again", twice(n, share + 0.001), f"dupe-{n}grams", f"duplicated_{n}_n_grams"
        )
        for n, share in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    ),
    *(
        Case(f"{n}-gram again, at the bound", twice(n, share))
        for n, share in ((5, 0.15), (10, 0.1))
    ),
]

WIDE = [" ".join(words(8, first=8 * i)) for i in range(100)]  # of 47 characters
NARROW = [" ".join(words(3, first=1000 + 3 * i)) for i in range(100)]  # of 17
ENDED = [f"{x}." for x in WIDE]
THREES = "\n".join(  # ten lines of three words, a point is one
    [" ".join(words(3, 12, 3 * i)) for i in range(8)]
    + [f"{'b' * 20} {'d' * 20}.", f"{'f' * 20} {'g' * 20}."]
)
FINEWEB = [
    Case("white space", "\n \n", "empty", "empty"),
    Case("3 of 25 lines end", "\n".join(ENDED[:3] + WIDE[3:25])),
    Case(
        "2 of 25 lines end",
        "\n".join(ENDED[:2] + WIDE[2:25]),
        "terminal",
        "line_punct_ratio",
    ),
    Case("67 of 100 lines short", "\n".join(ENDED[:33] + NARROW[:67])),
    Case(
        "68 of 100 lines short",
        "\n".join(ENDED[:32] + NARROW[:68]),
        "short-lines",
        "short_line_ratio",
    ),
    Case("30 characters are short", "\n".join(["bbbb " * 5 + "bbbb.", ENDED[0]])),
    Case(
        "a line again",
        "\n".join([*ENDED[:50], ENDED[0]]),
        "dup-line-chars",
        "char_dup_ratio",
    ),
    Case(
        "a line again in a long text",
        "\n".join([*ENDED[:5], "b" * 4712, ENDED[0]]),
    ),
    Case("9 newlines for 30 words", THREES),
    Case("10 newlines for 30 words", f"{THREES}\n", "list", "list_ratio"),
]

C4 = [
    Case("five sentences", FIVE),
    Case("four sentences", "\n".join(SENTENCES[:4]), "sentences", "too_few_sentences"),
    Case(
        "five sentences on a line",
        " ".join(SENTENCES[:3]) + "\nAnd here are two. They are one line.",
    ),
    Case("no lines", "", "sentences", "too_few_sentences"),
    Case("no line ends", "one line\nanother line", "terminal", "too_few_sentences"),
    Case("a word of 1000", f"{FIVE}\nThis line has {'b' * 999}."),
    Case("a word of 1001", f"{FIVE}\nThis line has {'b' * 1000}."),
    Case("a line without an end", f"{FIVE}\nThis line has no end"),
    Case("a line cut off", f"{FIVE}\nThis line is cut off..."),
    Case(
        "a line that ends in a citation", f"{FIVE}\nThis was found elsewhere.[12][citation needed]"
    ),
    Case("two words", f"{FIVE}\nTwo words."),
    Case("three words", f"{FIVE}\nHere are three."),
    Case("lorem ipsum", f"{FIVE}\nThen Lorem Ipsum dolor sit.", "lorem-ipsum", "lorem_ipsum"),
    Case("lorem ipsum on a line that goes", f"{FIVE}\nlorem ipsum dolor sit"),
    Case("JavaScript", f"{FIVE}\nPlease enable JavaScript to go on."),
    Case("a brace", f"{FIVE}\nWrite it as {{ here.", "curly-bracket", "curly_bracket"),
    Case("a brace on a JavaScript line", f"{FIVE}\nIn javascript it is {{ here."),
    Case("a policy", f"{FIVE}\nRead our Privacy Policy and cookies."),
    Case(
        "a policy, and too little else",
        "\n".join(SENTENCES[:4]) + "\nThis page uses cookies.",
        "sentences",
        "too_few_sentences",
    ),
]

MAILS = [f"b{i}@example.org" for i in range(6)]
DOLMA = [
    Case("49 words", prose(49), "words", "word_count< 50"),
    Case("50 words", prose(50)),
    Case("median of 10", prose(60, length=10)),
    Case("median of 11", prose(60, length=11), "word-length", "median_word_length> 10"),
    Case(
        "median of 2",
        " ".join(["the", "to", *words(60, 2)]),
        "word-length",
        "median_word_length< 3",
    ),
    Case("a tenth with hashes", prose(54, *(f"{w}#" for w in words(6, first=99)))),
    Case(
        "more with hashes",
        prose(53, *(f"{w}#" for w in words(6, first=99))),
        "symbols",
        "symbol_to_word_ratio> 0.1",
    ),
    Case("a fifth of numbers", prose(60, *map(str, range(100, 115)))),
    Case(
        "more numbers",
        prose(60, *map(str, range(100, 116))),
        "alphabetic",
        "fraction_of_words_with_alpha_character< 0.8",
    ),
    Case("a required word twice", " ".join(["the", "the", *words(60)])),
    Case(
        "a required word once",
        " ".join(["the", *words(60)]),
        "required-words",
        "required_word_count< 2",
    ),
    Case("9 of 10 bullets", lines(10, 6, "* ", marked=9)),
    Case(
        "10 of 10 bullets",
        lines(10, 6, "* ", marked=10),
        "bullets",
        "fraction_of_lines_starting_with_bullet_point> 0.9",
    ),
    Case("4 of 10 lines end in three points", lines(10, 6, ends="...", marked=4)),
    Case(
        "4 of 10 lines cut off",
        lines(10, 6, ends="…", marked=4),
        "ellipsis-lines",
        "fraction_of_lines_ending_with_ellipsis> 0.3",
    ),
    Case("3 of 10 lines alike", "\n".join([*LONG[:6], f"the of {LONG[7]}", "bx", "bx", "bx"])),
    Case(
        "empty lines are alike",
        "\n\n".join(["the of", *LONG[:7]]),
        "dup-lines",
        "fraction_of_duplicate_lines> 0.3",
    ),
    Case(
        "a long line again",
        again(f"the of {PASSAGE}", ["\n".join(LONG[:15])], "\n"),
        "dup-line-chars",
        "fraction_of_characters_in_duplicate_lines> 0.3",
    ),
    Case("a 2-gram of half", " ".join(f"the of {w}" for w in words(40, 4))),
    Case(
        "a 5-gram, then two other words",
        "the of " + between("bxxxx dxxxx fxxxx gxxxx kxxxx", 10, 2),
    ),
    Case(
        "a 5-gram, then another word",
        "the of " + between("bxxxx dxxxx fxxxx gxxxx kxxxx", 10, 1),
        "dupe-5grams",
        "fraction_of_characters_in_duplicate_5grams> 0.15",
    ),
    Case("5 addresses", prose(60, *MAILS[:5]) + "\n"),
    Case("6 addresses", prose(60, *MAILS) + "\n", "pii", "doc_count> 5"),
]

REFINEDWEB = [
    Case("49 words", prose(49), "words", "word_count"),
    Case("50 words", prose(50)),
    Case("no letter or digit first is no word", prose(49, "(brackets)"), "words", "word_count"),
    Case("mean below 3", " ".join(["the", "to", *words(60, 3)]), "word-length", "word_length"),
    Case("mean above 10", prose(200, length=11), "word-length", "word_length"),
    Case("a tenth of symbols", prose(60, *(f"{w}#" for w in words(6, first=99)))),
    Case("more symbols", prose(60, *(f"{w}#" for w in words(7, first=99))), "symbols", "symbol"),
    Case("9 of 10 bullets", lines(10, 6, "* ", marked=9)),
    Case("10 of 10 bullets", lines(10, 6, "* ", marked=10), "bullets", "bullet"),
    Case("3 of 10 lines cut off", lines(10, 6, ends=" . . .", marked=3)),
    Case(
        "4 of 10 lines cut off", lines(10, 6, ends=" . . .", marked=4), "ellipsis-lines", "ellipsis"
    ),
    Case("a fifth of numbers", prose(60, *map(str, range(100, 115)))),
    Case("more numbers", prose(60, *map(str, range(100, 116))), "alphabetic", "alphabetic"),
    Case("The stop word twice", " ".join(["The", "the", *words(60)])),
    Case("a stop word once", " ".join(["The", *words(60)]), "stop-words", "stop"),
    Case("3 of 10 lines alike", "\n".join([*LONG[:6], f"the of {LONG[7]}", *["bx dx"] * 3])),
    Case(
        "4 of 10 lines alike",
        "\n".join([*LONG[:5], f"the of {LONG[7]}", *["bx dx"] * 4]),
        "refinedweb-repetition.dup-lines",
        "rep:line",
    ),
    Case(
        "a paragraph again",
        "\n\n".join(["the of", *["bx dx\nfx gx"] * 2, "\n".join(LONG[:12])]),
        "refinedweb-repetition.dup-paras",
        "rep:paragraph",
    ),
    Case(
        "a 5-gram again",
        " ".join(["the of", *words(5), "bx", *words(55)]),
        "refinedweb-repetition.dupe-5grams",
        "rep:5-gram",
    ),
    Case("a 5-gram again in more", " ".join(["the of", *words(5), "bx", *words(61)])),
    Case("a line of capitals", prose(60) + "\nBDFG KLMN PRT"),
    Case("a line of digits", prose(60) + "\n1234567"),
    Case("likes", prose(60) + "\n3.4k likes"),
    Case("one word", prose(60) + "\nword"),
    Case("Sign-in", prose(60) + "\nSign-in"),
    Case("a twentieth of words in lines that go", prose(76) + "\nBDFG KLMN PRT V"),
    Case("more in lines that go", prose(75) + "\nBDFG KLMN PRT V", "removed", "removed"),
]

SETS = {
    "gopher-quality": GOPHER_QUALITY,
    "gopher-repetition": GOPHER_REPETITION,
    "fineweb": FINEWEB,
    "c4": C4,
    "dolma": DOLMA,
    "refinedweb": REFINEDWEB,
}
ALL = [
    pytest.param(name, case, id=f"{name}: {case.name}")
    for name, cases in SETS.items()
    for case in cases
]
GOES = (  # with its sixth line
    "a word of 1001", "a line without an end", "a line cut off", "two words", "JavaScript",
    "lorem ipsum on a line that goes", "a brace on a JavaScript line", "a policy",
)  # fmt: skip
STAYS = ("a word of 1000", "a line that ends in a citation", "three words")


def removed_by(text: str, rules: list[Rule], *, native: bool) -> str:
    verdicts = judge(compute([text], needed(rules), native=native), rules)
    return "" if verdicts.kept[0] else rules[verdicts.removed_by[0]].name


@pytest.mark.parametrize("native", [True, False], ids=["native", "plain"])
@pytest.mark.parametrize(("name", "case"), ALL)
def test_the_verdict_and_its_reason_are_the_others(name: str, case: Case, native: bool) -> None:
    rule = case.rule if "." in case.rule else f"{name}.{case.rule}" if case.rule else ""
    assert removed_by(case.text, load_rules([name]), native=native) == rule
    assert bool(case.rule) == bool(case.reason)


@pytest.mark.parametrize("native", [True, False], ids=["native", "plain"])
@pytest.mark.parametrize("name", [*GOES, *STAYS])
def test_the_lines_that_c4_leaves_are_datatroves(name: str, native: bool) -> None:
    (text,) = [case.text for case in C4 if case.name == name]
    rules = load_rules(["c4"])
    signals = compute([text], needed(rules), native=native)
    verdicts = judge(signals, rules)
    assert verdicts.lines is not None
    ends = signals.column("line_ends").combine_chunks().flatten().to_numpy()
    assert kept_text(text, ends, verdicts.lines) == (f"{FIVE}\n" if name in GOES else text)


@pytest.mark.parametrize("name", sorted({*shipped()} - {"docstrings", "text"}))
def test_the_page_says_what_the_rules_are(name: str) -> None:
    assert f"| `{name}` |" in PAGE
    for rule in load_rules([name]):
        low = [] if rule.min is None else [f"≥ {rule.min:g}"]
        high = [] if rule.max is None else [f"≤ {rule.max:g}"]
        short = rule.name.rpartition(".")[2]
        assert f"| `{short}` | `{rule.signal}` | {', '.join(low + high)} |" in PAGE


def test_gopher_is_both_of_its_sets() -> None:
    both = load_rules(["gopher-quality", "gopher-repetition"])
    assert load_rules(["gopher"]) == both


def test_redpajama_v1_looks_at_scores() -> None:
    rules = load_rules(["redpajama-v1"])
    ends = pa.array([[5]] * 4, pa.list_(pa.uint32()))
    bucket = [0.0, 1.0, 2.0, None]
    wikiref = [0.25, 0.2499, 0.9, None]
    table = pa.table(
        {"line_ends": ends, "ccnet_bucket": bucket, "rps_doc_ml_wikiref_score": wikiref}
    )
    assert judge(table, rules).removed_by.tolist() == [-1, 1, 0, -1]


def test_dolmas_rules_that_never_fire_are_off() -> None:
    text = " ".join(f"the of {word}" for word in words(40, 4))
    (signal,) = compute([text], ["dolma_top_2gram"]).column("dolma_top_2gram").to_pylist()
    assert signal > 0.2
    assert "dolma.top-2gram" not in {rule.name for rule in load_rules(["dolma"])}
    assert removed_by(text, load_rules(["dolma"]), native=True) == ""
