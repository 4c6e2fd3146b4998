"""Where a server listens, and whether by TLS: options that all commands with one have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from openhearth.errors import UsageError

PEM = click.Path(path_type=Path)
OPTIONS = [
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--tls-certificate",
        type=PEM,
        metavar="PEM",
        help="Speak TLS with this certificate; those between it and its authority come after it.",
    ),
    click.option("--tls-key", type=PEM, metavar="PEM", help="The key of the certificate."),
]


def listening_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; they come as `host`, and as `tls`, a `Tls` or None."""

    @functools.wraps(command)
    def with_tls(
        *rest: Any, tls_certificate: Path | None, tls_key: Path | None, **named: Any
    ) -> Any:
        return command(*rest, tls=_tls(tls_certificate, tls_key), **named)

    for option in reversed(OPTIONS):
        with_tls = option(with_tls)
    return with_tls


def _tls(certificate: Path | None, key: Path | None) -> Any:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("A certificate needs its key: give --tls-certificate and --tls-key both.")
    from openhearth.platform.tls import Tls

    return Tls(certificate, key)
