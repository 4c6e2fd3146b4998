from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.draws import stream
from openhearth.bench.workloads import LENGTHS, Length, Lengths, four_bytes
from openhearth.bench.workloads.lengths import fill
from openhearth.bench.workloads.texts import Writer

PROTOCOL = Path(__file__).parents[3] / "docs" / "reference" / "benchmark-protocol.md"


def cells() -> dict[str, list[str]]:
    """The rows of rule 5's table by the workload's name."""
    rows = re.findall(r"^ {3}\| `(\w+)` \|(.*)\|$", PROTOCOL.read_text(), re.MULTILINE)
    return {name: [cell.strip().replace(",", "") for cell in row.split("|")] for name, row in rows}


def test_the_table_of_the_protocol_is_that_of_the_code() -> None:
    told = {}
    for name, (prompt, sigma, answer, answer_sigma, _) in cells().items():
        length = Length(int(answer), float(answer_sigma)) if answer.isdigit() else None
        told[name] = Lengths(Length(int(prompt), float(sigma)), length)
    assert told == LENGTHS


@pytest.mark.parametrize("tier", ["small", "full"])
@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_are_around_the_median_and_cut(name: str, tier: str) -> None:
    part = 4 if tier == "small" else 1
    for length in (LENGTHS[name].prompt, LENGTHS[name].answer):
        if length is None:
            continue
        rng = stream(1, name)
        drawn = [length.draw(rng, tier) for _ in range(4000)]
        middle = length.median / part
        assert median(drawn) == pytest.approx(middle, rel=0.05)
        assert min(drawn) >= int(middle / 4)
        assert max(drawn) <= middle * 4
        # About 68 of 100 of a log-normal are within one sigma, as a normal's are.
        within = sum(1 / 2.71828**length.sigma < d / middle < 2.71828**length.sigma for d in drawn)
        assert within / len(drawn) == pytest.approx(0.68, abs=0.06)


@given(room=st.integers(-5, 3000), seed=st.integers(0, 1000))
def test_a_text_is_as_long_as_was_asked(room: int, seed: int) -> None:
    told = fill(Writer(stream(seed)).sentence, four_bytes, room)
    longest = max((four_bytes(sentence) for sentence in told), default=0)
    assert abs(four_bytes(" ".join(told)) - max(room, 0)) <= max(longest, 20)
