"""Passwords, which are kept as scrypt leaves them.

Unlike keys, people choose passwords, so that a stolen hash could be guessed: each guess has to cost
time and memory. The parameters, 32 MiB and three passes, are OWASP's:
https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading

N, R, P = 2**15, 8, 3
_TURNS = threading.BoundedSemaphore(2)  # so that many who log in do not take all memory


def hashed(password: str) -> str:
    """What to keep of a password; it tells its own parameters."""
    salt = os.urandom(16)
    return "$".join(
        ["scrypt", *map(str, (N, R, P)), _text(salt), _text(_derive(password, salt, N, R, P))]
    )


def matches(password: str, kept: str | None) -> bool:
    """Whether that is the password; as slow where there is none to compare it with."""
    _, n, r, p, salt, derived = (kept or NOBODY).split("$")
    found = _derive(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(derived)) and kept is not None


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with _TURNS:
        text = password.encode("utf-8", "surrogatepass")
        return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=2 * 128 * n * r, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


NOBODY = "$".join(["scrypt", *map(str, (N, R, P)), _text(bytes(16)), _text(bytes(32))])
