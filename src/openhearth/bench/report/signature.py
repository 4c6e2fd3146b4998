"""Ed25519 signatures of reports (RFC 8032), with a key that is made on first use (rule 54)."""

from __future__ import annotations

import os
from pathlib import Path

from openhearth.errors import HearthError, MissingExtra
from openhearth.store.disk import explain_disk_errors, home

KEY = "bench-key.pem"  # under the home, readable by its owner only


def sign(data: bytes, key: Path | None = None) -> dict[str, str]:
    """A signature as `{algorithm, key, value}`; key, the public one, and value in hexadecimal.

    Raises:
        HearthError: the file is no private key of Ed25519.
        MissingExtra: cryptography is not installed.
    """
    private = _private(key or home() / KEY)
    public = private.public_key().public_bytes_raw().hex()
    return {"algorithm": "ed25519", "key": public, "value": private.sign(data).hex()}


def is_signed(data: bytes, signature: dict[str, str]) -> bool:
    """Whether the signature is of these bytes, by the key that it names.

    Raises:
        MissingExtra: cryptography is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ModuleNotFoundError as error:
        raise MissingExtra("cryptography", "bench") from error
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["key"]))
        public.verify(bytes.fromhex(signature["value"]), data)
    except (InvalidSignature, ValueError, KeyError):
        return False
    return signature.get("algorithm") == "ed25519"


def _private(path: Path):  # type: ignore[no-untyped-def]  # cryptography is optional
    try:
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ModuleNotFoundError as error:
        raise MissingExtra("cryptography", "bench") from error
    if not path.exists():
        _write_new(
            path,
            Ed25519PrivateKey.generate().private_bytes(
                form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
            ),
        )
    try:
        found = form.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise HearthError(f"{path} is no private key that can sign reports: remove it.") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise HearthError(f"{path} is a key of another kind: reports need Ed25519.")
    return found


def _write_new(path: Path, data: bytes) -> None:
    """Whole or not at all; if another process was first, its key stays."""
    with explain_disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
