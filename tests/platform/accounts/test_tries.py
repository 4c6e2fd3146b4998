"""Bounds on tries: by network, by e-mail address, and for all."""

from __future__ import annotations

import pytest

from openhearth.platform.accounts.routes.tries import (
    ABOUT_ONE,
    FROM_ONE,
    OF_ALL,
    Tries,
    network_of,
)
from openhearth.platform.errors import ApiError


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def counted(tries: Tries, host: str | None, emails: int, first: int = 0) -> int:
    """How many tries from a host get through, each about another address."""
    for n in range(emails):
        try:
            tries.count(host, f"user{first + n}@example.org")
        except ApiError as error:
            return n if error.status == 429 else -1
    return emails


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:127.0.0.1", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("testclient", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_stands_for_its_network(host: str | None, network: str | None) -> None:
    assert network_of(host) == network


def test_one_network_takes_nothing_of_others_beyond_its_own() -> None:
    clock = Clock()
    tries = Tries(clock)
    assert counted(tries, "192.0.2.1", 10_000) == FROM_ONE
    assert counted(tries, "192.0.2.1", 10_000) == 0
    assert counted(tries, "192.0.2.2", FROM_ONE, first=100) == FROM_ONE
    clock.now += 61
    assert counted(tries, "192.0.2.1", 1) == 1


def test_an_address_is_tried_only_so_often_wherever_from() -> None:
    tries = Tries(Clock())
    for n in range(ABOUT_ONE):
        tries.count(f"192.0.2.{n}", "ada@example.org")
    with pytest.raises(ApiError, match="too many tries"):
        tries.count("198.51.100.1", "ada@example.org")


def test_all_together_are_bounded_too() -> None:
    tries = Tries(Clock())
    assert counted(tries, None, OF_ALL + 5) == OF_ALL
    assert counted(tries, "192.0.2.1", 1) == 0
