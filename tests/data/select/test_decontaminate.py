"""Evaluation sets out of the training text: what is dropped, what is cut, what is said of it."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.funnel import funnel
from openhearth.data.schema import Corpus, Quarantine, document, to_batch
from openhearth.data.select import Decontaminate, index_evaluations
from openhearth.data.select.decontaminate import MOST, SHORTEST, WINDOW, pieces
from openhearth.data.tally import Tally
from openhearth.errors import UsageError
from tests.data.select.corpora import corpus_of

QUESTION = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many in May."
)
OTHER = (
    "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total?"
)


def filler(words: int, seed: int) -> str:
    chance = random.Random(seed)
    return " ".join(f"w{chance.randrange(10**6)}" for _ in range(words))


def corpus(*texts: str) -> Corpus:
    return corpus_of([document(f"q{i}", text, "test") for i, text in enumerate(texts)])


EVALUATIONS = index_evaluations({"gsm8k": corpus(QUESTION), "robes": corpus(OTHER)})


def batch(*texts: str, **metadata: object) -> pa.RecordBatch:
    rows = [document(f"d{i}", text, "s", **metadata) for i, text in enumerate(texts)]
    return to_batch(rows, Quarantine())


def test_overlapping_documents_are_dropped_and_shown() -> None:
    texts = (
        filler(50, 0),
        f"{filler(50, 1)} natalia SOLD clips to 48 of her friends - in April and then she sold!",
        " ".join(QUESTION.split()[:12]),  # a word too few
        f"{OTHER} {QUESTION}",
    )
    tally = Tally()
    kept = Decontaminate(EVALUATIONS)(batch(*texts), tally)
    assert kept["id"].to_pylist() == ["d0", "d2"]
    first, second = funnel(tally, EVALUATIONS, tally.counts["seen"])
    assert (first["name"], first["removed"]) == ("gsm8k", 2)  # d3 counts for the first set
    assert (second["name"], second["removed"]) == ("robes", 0)
    example = first["examples"][0]
    assert example["id"] == "d1"
    assert example["text"].startswith("natalia SOLD clips to 48 of her friends - in April")


def test_overlaps_are_cut_with_what_is_around_them() -> None:
    before, after = filler(200, 0), filler(200, 1)
    tally = Tally()
    text = f"{before} {QUESTION} {after}"
    made = Decontaminate(EVALUATIONS, cut=True)(batch(text, filler(9, 3)), tally).to_pylist()
    assert [row["id"] for row in made] == ["d0#1", "d0#2", "d1"]
    begin, end = text.index("Natalia"), text.index("May") + len("May.")
    assert made[0]["text"] == text[: begin - WINDOW]
    assert made[1]["text"] == text[end + WINDOW :]
    assert tally.counts["cut:gsm8k"] == 1
    assert tally.counts["removed:gsm8k"] == 0
    assert tally.counts["characters:gsm8k"] == 2 * WINDOW + len(QUESTION)


def test_what_is_nearly_all_overlap_goes() -> None:
    tally = Tally()
    many = f" {filler(100, 5)} ".join([QUESTION] * (MOST + 2))  # so MOST + 1 between
    made = Decontaminate(EVALUATIONS, cut=True)(batch(QUESTION, many), tally)
    assert made.num_rows == 0
    assert tally.counts["removed:gsm8k"] == 2


def test_conversations_are_dropped_whole() -> None:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": QUESTION}]
    text = f"{filler(200, 0)} {QUESTION}"
    decontaminate = Decontaminate(EVALUATIONS, cut=True)
    assert decontaminate(batch(text, messages=turns), Tally()).num_rows == 0
    (left,) = decontaminate(batch(text, messages="no turns"), Tally()).to_pylist()
    assert json.loads(left["metadata"]) == {"messages": "no turns"}


def test_clean_batches_stay_as_they_are() -> None:
    clean = batch(filler(30, 0))
    assert Decontaminate(EVALUATIONS)(clean, Tally()).equals(clean)
    assert Decontaminate(EVALUATIONS)(clean.slice(0, 0), Tally()).num_rows == 0


def test_sets_without_long_enough_texts_are_refused() -> None:
    with pytest.raises(UsageError, match="evaluation set short has no text of 13 words"):
        index_evaluations({"short": corpus("Yes or no?")})
    assert len(index_evaluations({"short": corpus("Yes or no?")}, n=2)["short"]) == 2


@given(st.integers(0, 6000), st.lists(st.integers(0, 6000), max_size=20))
def test_pieces_are_what_no_window_reaches(length: int, begins: list[int]) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(length))  # each place is another character
    spans = sorted((b, min(length, b + 70)) for b in begins if b < length)
    gone = {i for begin, end in spans for i in range(begin - WINDOW, end + WINDOW)}
    runs = "".join(" " if i in gone else character for i, character in enumerate(text)).split()
    expected = [] if len(runs) > MOST else [run for run in runs if len(run) >= SHORTEST]
    assert pieces(text, spans) == expected
