"""The way to a server, by handshakes (rule 30)."""

from __future__ import annotations

import socket

import pytest

from openhearth.bench.load import round_trip
from openhearth.errors import HearthError
from openhearth.processes import free_port
from tests.bench.load.conftest import target


def test_each_try_is_a_handshake_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = round_trip(target(f"http://localhost:{listener.getsockname()[1]}"), tries=3)
        for _ in range(3):
            connection, _ = listener.accept()
            connection.close()
    assert found.address == "127.0.0.1"
    assert 0 < found.least_s <= found.median_s


def test_who_does_not_listen_is_not_near() -> None:
    with pytest.raises(HearthError, match="check the URL"):
        round_trip(target(f"http://127.0.0.1:{free_port()}"))
