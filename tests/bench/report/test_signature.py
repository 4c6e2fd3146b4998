"""Signatures of reports."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.bench.report.signature import is_signed, sign
from openhearth.errors import HearthError

# RFC 8032, section 7.1, test 2: an empty tail of the secret key's PKCS #8 form is standard DER.
SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_a_signature_is_that_of_the_standard(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = tmp_path / "key.pem"
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET))
    key.write_bytes(
        private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    signature = sign(b"\x72", key)
    assert signature == {"algorithm": "ed25519", "key": PUBLIC, "value": SIGNATURE}
    assert is_signed(b"\x72", signature)


def test_a_key_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    key = tmp_path / "new" / "key.pem"
    first, second = sign(b"one", key), sign(b"two", key)
    assert first["key"] == second["key"]
    assert key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["key.pem"]
    assert not is_signed(b"one", second)


@given(st.dictionaries(st.sampled_from(["algorithm", "key", "value"]), st.text(max_size=200)))
def test_whatever_else_is_no_signature(signature: dict[str, str]) -> None:
    assert not is_signed(b"text", signature)


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("no key")
    with pytest.raises(HearthError, match="no private key"):
        sign(b"text", key)
