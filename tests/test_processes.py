"""Processes that end with us. The broker's and the remote server's tests kill the parents."""

from __future__ import annotations

import socket
import subprocess

from openhearth.processes import LOOPBACK, attached, free_port


def test_an_attached_process_is_the_command_itself() -> None:
    done = subprocess.run(
        attached(["sh", "-c", "echo $1; exit 7", "sh", "a b"]), capture_output=True
    )
    assert (done.returncode, done.stdout) == (7, b"a b\n")


def test_a_free_port_can_be_listened_on() -> None:
    socket.create_server((LOOPBACK, free_port())).close()
