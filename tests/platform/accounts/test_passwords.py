"""Passwords: what is kept says nothing of them, and only the right one matches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhearth.platform.accounts.passwords import hashed, matches


@given(st.text(min_size=1), st.text())
def test_only_the_right_password_matches(password: str, other: str) -> None:
    kept = hashed(password)
    assert matches(password, kept)
    assert matches(other, kept) == (other == password)


def test_equal_passwords_are_kept_differently() -> None:
    assert hashed("same") != hashed("same")
    assert "same" not in hashed("same")


def test_nobody_has_a_password() -> None:
    assert not matches("anything", None)


def test_a_hash_of_other_parameters_still_matches() -> None:
    # Made by hashlib.scrypt(b"password", salt=b"salt", n=16, r=1, p=1, dklen=32).
    kept = "scrypt$16$1$1$c2FsdA==$RRM8PfukjIIjXfUaU0mSQRDu6JN1Lw1BaNLiruVyLYI="
    assert matches("password", kept)
    assert not matches("Password", kept)
