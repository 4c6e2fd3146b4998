"""Addresses that are a permission: only ours, only unaltered, only for a while."""

from __future__ import annotations

import time

import pytest

from openhearth.platform.finetuning import tickets
from openhearth.platform.finetuning.tickets import Tickets


def test_a_ticket_says_its_word_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Tickets()
    ticket, until = ours.sign("word")
    assert until > time.time()
    assert ours.read(ticket) == "word"
    assert Tickets().read(ticket) is None
    word, later, signature = ticket.split(".")
    for altered in (
        f"worm.{later}.{signature}",
        f"{word}.{int(later) + 1}.{signature}",
        "",
        "é.1.x",
    ):
        assert ours.read(altered) is None
    monkeypatch.setattr(tickets, "SECONDS", -1)
    assert ours.read(ours.sign("word")[0]) is None
