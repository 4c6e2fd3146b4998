"""Certificates: which are refused, what they are for, and how a renewed one is taken."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

import pytest

from openhearth.errors import HearthError
from openhearth.platform.tls import Tls
from tests import certificates
from tests.certificates import by_authority, openssl, self_signed, trusting

pytestmark = certificates.needed


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "127.0.0.1") -> str:
    """The version of TLS on which both agree when the client asks a host."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname=host)
    asked = server.wrap_bio(up, down, server_side=True)
    for side in 3 * (asking, asked):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return asking.version() or ""


def test_what_is_older_than_1_2_is_not_spoken(tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    client = trusting(tls)
    assert shaken(tls.context(), client) == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shaken(tls.context(), client) == "TLSv1.2"
    assert tls.context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    own, other = self_signed(tmp_path), self_signed(tmp_path, name="other")
    for wrong in (Tls(own.certificate, other.key), Tls(own.key, own.key)):
        with pytest.raises(HearthError, match=r"own\.(pem|key) .* cannot be used"):
            wrong.context()


def test_a_key_with_a_password_is_refused_and_none_is_asked_for(tmp_path: Path) -> None:
    own, closed = self_signed(tmp_path), tmp_path / "closed.key"
    openssl("ec", "-aes128", "-passout", "pass:secret", "-in", own.key, "-out", closed)
    with pytest.raises(HearthError, match="no password"):
        Tls(own.certificate, closed).context()


def test_a_certificate_of_another_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HearthError, match="expired"):
        by_authority(tmp_path, "DNS:a.example.org", "-days", "-1").name_for("127.0.0.1")


@pytest.mark.parametrize(
    ("names", "host", "called"),
    [
        ("IP:127.0.0.1,DNS:a.example.org", "127.0.0.1", "127.0.0.1"),
        ("DNS:a.example.org,IP:::1", "::1", "::1"),
        ("DNS:a.example.org,DNS:b.example.org", "127.0.0.1", "a.example.org"),
        ("DNS:a.example.org,DNS:b.example.org", "b.example.org", "b.example.org"),
        ("DNS:*.example.org,DNS:example.org", "a.example.org", "a.example.org"),
        ("DNS:*.example.org,DNS:example.org", "127.0.0.1", "example.org"),
        ("DNS:*.example.org", "127.0.0.1", "127.0.0.1"),
        ("email:a@example.org", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_server_is_called_by_a_name_that_its_certificate_has(
    tmp_path: Path, names: str, host: str, called: str
) -> None:
    for made in (self_signed(tmp_path, names), by_authority(tmp_path, names)):
        assert made.name_for(host) == called


def test_a_renewed_certificate_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    """Those before it do as long as its files are not whole."""
    old, new = self_signed(tmp_path), self_signed(tmp_path, name="new")
    used = Tls(tmp_path / "used.pem", tmp_path / "used.key")
    shutil.copy(old.certificate, used.certificate)
    shutil.copy(old.key, used.key)
    server = used.context()
    assert shaken(server, trusting(old))
    os.replace(new.certificate, used.certificate)
    for _ in range(2):
        assert shaken(server, trusting(old))
    used.key.unlink()
    assert shaken(server, trusting(old))
    os.replace(new.key, used.key)
    assert shaken(server, trusting(used))
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(server, trusting(old))
