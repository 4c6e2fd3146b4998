"""Ports that can be had, and the URLs of those who listen there."""

from __future__ import annotations

import socket

import pytest

from openhearth.errors import HearthError
from openhearth.platform.port import bound, url_of


def test_any_free_port_is_had_until_the_end_of_the_block() -> None:
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        listener.listen()
        with pytest.raises(HearthError, match="already in use"), bound("127.0.0.1", port):
            pass
    with bound("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_what_is_not_this_machines_is_an_error(host: str) -> None:
    with pytest.raises(HearthError, match="choose another with --host"), bound(host, 0):
        pass


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("example.org", "http://example.org:80"),
    ],
)
def test_a_url_leads_there_from_this_machine(host: str, url: str) -> None:
    assert url_of(host, 80) == url


def test_the_socket_is_a_stream() -> None:
    with bound("localhost", 0) as listener:
        assert listener.type == socket.SOCK_STREAM
