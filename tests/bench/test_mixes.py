"""Prices that systems imply come from several mixes of one system, and from nothing else."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from openhearth.bench import board as boards
from openhearth.bench.mixes import SYSTEM, implied_prices
from openhearth.bench.price import Billed, Hardware, Item, cost
from openhearth.page import render

SHEET = Hardware(
    division="hardware",
    source="an offer",
    date=date(2026, 11, 26),
    items=(Item(name="machine", per_hour=3.6),),
)
# Tokens of prompts and answers that a machine does in an hour at three mixes, if those of prompts
# take 10 us and those of answers 1 ms.
MIXES = [(60_000_000, 3_000_000), (180_000_000, 1_800_000), (12_000_000, 3_480_000)]


def row(mix: tuple[int, int], cached: int = 0, **rest: Any) -> dict[str, Any]:
    paid = cost(SHEET, Billed(3600, 100, mix[0], cached, mix[1], mix[1]))
    usual = dict.fromkeys(SYSTEM, "same") | {"per_hour": paid.per_hour, "recipe": str(mix)}
    about = {"why": None, "kind": "capacity", "division": "hardware", "cost": asdict(paid)}
    return usual | about | rest


def test_prices_are_those_of_the_time_that_tokens_take() -> None:
    (found,) = implied_prices([row(mix) for mix in MIXES])
    assert found["input"] == pytest.approx(0.01)  # 3.6 dollars an hour: 0.001 a second
    assert found["output"] == pytest.approx(1.0)
    assert found["cached_input"] is None
    assert found["residual"] == pytest.approx(0, abs=1e-6)
    assert len(found["recipes"]) == 3


@pytest.mark.parametrize("name", SYSTEM)
def test_entries_of_other_systems_do_not_count(name: str) -> None:
    rows = [row(mix) for mix in MIXES[:2]] + [row(MIXES[2], **{name: "other"})]
    assert implied_prices(rows) == []


@pytest.mark.parametrize(
    "rest", [{"why": "short"}, {"kind": "over time"}, {"division": "service"}, {"cost": None}]
)
def test_what_is_not_a_ranked_capacity_of_hardware_does_not_count(rest: dict[str, Any]) -> None:
    assert implied_prices([row(mix) for mix in MIXES[:2]] + [row(MIXES[2], **rest)]) == []


def test_one_mix_at_three_rates_tells_no_prices() -> None:
    assert implied_prices([row((10_000 * n, 2_000 * n)) for n in (1, 2, 3)]) == []


def test_the_board_shows_them() -> None:
    found = implied_prices([row(mix, system="<b>box</b>") for mix in MIXES])
    board = boards.Board([], [], [], found)
    shown = render(
        Path(boards.HERE, "board.html.jinja"), board=board, words=boards.words, script="", digest=""
    ).decode()
    assert "Prices that systems imply" in shown
    assert boards.words.dollars(found[0]["output"]) in shown
    assert "&lt;b&gt;box" in shown
    assert board.to_dict()["implied"] == found
