"""Certificates for tests, made by `openssl`: by a machine for itself, or by an authority."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from openhearth.platform.tls import Tls

needed = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="nothing here makes certificates"
)
NEW = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=tests"]
HERE = "IP:127.0.0.1"


def self_signed(folder: Path, names: str = HERE, name: str = "own") -> Tls:
    """A certificate for these names that is its own authority."""
    made = Tls(folder / f"{name}.pem", folder / f"{name}.key")
    openssl("req", "-x509", *NEW, *_for(names), "-keyout", made.key, "-out", made.certificate)
    return made


def by_authority(folder: Path, names: str, *options: str) -> Tls:
    """One that the authority of `folder / "root.pem"` has signed, which is not in its file."""
    root, request = self_signed(folder, name="root"), folder / "request.pem"
    made = Tls(folder / "leaf.pem", folder / "leaf.key")
    openssl("req", *NEW, *_for(names), "-keyout", made.key, "-out", request)
    signed = ["-CA", root.certificate, "-CAkey", root.key, "-copy_extensions", "copy", *options]
    openssl("x509", "-req", "-in", request, *signed, "-out", made.certificate)
    return made


def trusting(tls: Tls) -> ssl.SSLContext:
    """What a client asks by that believes one certificate."""
    return ssl.create_default_context(cafile=str(tls.certificate))


def openssl(*words: str | Path) -> None:
    """Run it."""
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def _for(names: str) -> list[str]:
    return ["-addext", f"subjectAltName={names}"]
