"""Who asks: what a key says of the requests that carry it.

Every request behind the guard has a `Caller` in `http.state.caller`. A role is a user's in an
organisation; a scope is a part of the API; a key may use no more than the role of its user allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Role = Literal["owner", "member", "reader"]
ScopeName = Literal["inference", "files", "jobs", "usage", "admin"]

CREDIT = 100_000_000  # millionths of a cent: a credit is a dollar
SCOPES: frozenset[str] = frozenset(get_args(ScopeName))
ALLOWED: dict[str, frozenset[str]] = {
    "owner": SCOPES,
    "member": SCOPES - {"admin"},
    "reader": frozenset({"files", "jobs", "usage"}),  # and of these only reading
}


@dataclass(frozen=True)
class Limits:
    """What a key may do; None where it has no limit of its own.

    `spending_cap`, in millionths of a cent, is for what the key spends in a month: the ledger holds
    it to that.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    spending_cap: int | None = None


@dataclass(frozen=True)
class Caller:
    """The identity of a request. `user` is None where there are keys but no accounts."""

    key: str
    project: str
    organisation: str
    user: str | None
    role: str
    scopes: frozenset[str]
    limits: Limits

    @property
    def tenant(self) -> str:
        """Among whom the engine shares itself fairly: projects."""
        return self.project


class Authority(Protocol):
    """What knows the keys. Its methods may be called from any thread."""

    def is_slow_to_check(self, presented: str) -> bool:
        """Whether checking this key has to wait for something, so that a thread should do it."""

    def check(self, presented: str) -> Caller | None:
        """Whose key that is; None if it is none of ours, or no longer one."""
