"""Requests, servers that say what a test wants, and certificates that nobody knows."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhearth.bench.load import Target
from openhearth.bench.records import Ask

SILENT_S = 0.4  # until a test takes a server for silent


def ask(number: int = 0, at: float = 0.0, text: str = "Hello", **rest: Any) -> Ask:
    """A request for a greedy answer of up to 16 tokens."""
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0}
    return Ask(number, "chat", rest.pop("route", "chat/completions"), body, at, **rest)


def target(url: str, **rest: Any) -> Target:
    return Target(url, "stub", **rest)


@contextmanager
def saying(*parts: bytes, requests: int = 1, closes_after: float = 0.0) -> Iterator[str]:
    """The URL of a server that says this to so many connections, one after another, and closes
    each, some seconds later.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)  # fewer came

        def answer() -> None:
            for _ in range(requests):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(2**16)
                    for part in parts:
                        connection.sendall(part)
                    time.sleep(closes_after)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@dataclass(frozen=True)
class Certificate:
    """Files of a self-signed certificate for 127.0.0.1 and its key."""

    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One that no authority has signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, day = ec.generate_private_key(ec.SECP256R1()), datetime.timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stub")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    directory, form = tmp_path_factory.mktemp("tls"), serialization.Encoding.PEM
    files = Certificate(directory / "certificate.pem", directory / "key.pem")
    files.certificate.write_bytes(signed.public_bytes(form))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(form, *plain))
    return files
