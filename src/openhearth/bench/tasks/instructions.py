"""Following instructions: rules for an answer's form that a program can check.

In the manner of IFEval (Zhou et al. 2023, arXiv:2311.07911), with rules of its own. A question of
level n has n rules, each about something else, and all of which can be kept together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from openhearth.bench.tasks.example import example
from openhearth.bench.tasks.question import Question, begun, levels
from openhearth.bench.workloads.lengths import Tier
from openhearth.bench.workloads.lexicon import nouns, words
from openhearth.bench.workloads.names import Names

HIGHEST = 6
JSON_SHARE = 0.15  # of the questions ask for JSON
MAX_TOKENS = 256
LETTERS = "bcdfghklmpuwy"  # that English can do without
WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
SHAPES = ("at_most", "at_least", "sentences", "lines", "items", "paragraphs")
Drawn = tuple[str, Any]


def make(rng: Random, count: int, tier: Tier) -> list[Question]:
    """So many questions of all levels. A tier makes no difference to them."""
    return [_question(rng, level) for level in levels(count, HIGHEST)]


def right(answer: str, check: dict[str, Any]) -> bool:
    """Whether the answer keeps all rules."""
    return all(RULES[rule][1](answer.strip(), value) for rule, value in check["rules"])


def _question(rng: Random, level: int) -> Question:
    names = Names(rng)
    rules = _json_rules(rng, level) if rng.random() < JSON_SHARE else _rules(rng, level)
    said = " ".join(RULES[rule][0].format(value=_told(value)) for rule, value in rules)
    ask = f"Write about {rng.choice(words('matter'))}. {said}"
    check = {"rules": [list(rule) for rule in rules]}
    text = begun(rng, names, ask)
    return Question("instructions", level, text, check, example(rules), MAX_TOKENS)


def _rules(rng: Random, level: int) -> list[Drawn]:
    letter = rng.choice(LETTERS)
    free = [noun for noun in nouns() if letter not in noun]
    first, last, contained = rng.sample(free, 3)
    shape = rng.choice(SHAPES)
    least = {"at_most": 12, "at_least": 15}.get(shape, 2)
    drawn: list[Drawn] = [
        (shape, rng.randint(least, 3 * least)),
        (rng.choice(("lower", "upper", "no_comma")), ""),
        ("without", letter),
        ("first", first),
        ("last", last),
        ("contains", contained),
    ]
    return rng.sample(drawn, level)


def _json_rules(rng: Random, level: int) -> list[Drawn]:
    return [("keys", rng.sample(nouns(), level))]


def _told(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value


def _said(answer: str) -> list[str]:
    return [word.lower() for word in WORD.findall(answer)]


def _pieces(pattern: str) -> Callable[[str, int], bool]:
    return lambda answer, count: len([p for p in re.split(pattern, answer) if p.strip()]) == count


def _items(answer: str, count: int) -> bool:
    lines = [line for line in answer.splitlines() if line.strip()]
    return len(lines) == count and all(line.lstrip().startswith("- ") for line in lines)


def _keys(answer: str, keys: list[str]) -> bool:
    try:
        value = json.loads(re.sub(r"^```(?:json)?|```$", "", answer).strip())
    except (ValueError, RecursionError):
        return False
    texts = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    return texts and sorted(value) == sorted(keys)


# Of each rule: how it is said, and whether an answer, which is without spaces around it, keeps it.
RULES: dict[str, tuple[str, Callable[[str, Any], bool]]] = {
    "at_most": ("Use at most {value} words.", lambda a, n: 0 < len(_said(a)) <= n),
    "at_least": ("Use at least {value} words.", lambda a, n: len(_said(a)) >= n),
    "sentences": ("Write exactly {value} sentences.", _pieces(r"[.!?]+(?:\s|$)")),
    "lines": ("Write exactly {value} lines.", _pieces(r"\n+")),
    "items": ("Write a list of exactly {value} lines that begin with `- `, only that.", _items),
    "paragraphs": ("Write exactly {value} paragraphs, with empty lines between.", _pieces(r"\n\n")),
    "lower": ("Use lower case only.{value}", lambda a, _: bool(a) and a == a.lower()),
    "upper": ("USE CAPITAL LETTERS ONLY.{value}", lambda a, _: bool(a) and a == a.upper()),
    "no_comma": ("Do not use any comma.{value}", lambda a, _: bool(a) and "," not in a),
    "without": (
        "Do not use the letter `{value}`.",
        lambda a, letter: bool(a) and letter not in a.lower(),
    ),
    "first": ("Let `{value}` be the first word.", lambda a, word: _said(a)[:1] == [word]),
    "last": ("Let `{value}` be the last word.", lambda a, word: _said(a)[-1:] == [word]),
    "contains": ("Use the word `{value}`.", lambda a, word: word in _said(a)),
    "keys": (
        "Answer with a JSON object alone that has the keys {value} and texts as values.",
        _keys,
    ),
}
