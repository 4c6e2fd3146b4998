"""Why the ledger says no."""

from __future__ import annotations

from openhearth.errors import HearthError
from openhearth.platform.errors import ApiError
from openhearth.platform.money import credits_of


class InsufficientCredits(ApiError):
    """The wallet cannot cover the most that a request may cost."""

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(
            402,
            f"This request may cost {credits_of(needed)} credits, and {credits_of(available)} are "
            "available: ask for fewer tokens (max_tokens, n), wait for requests that are under "
            "way, or add credits.",
            kind="insufficient_credits",
            code="insufficient_credits",
        )


class SpendingCapReached(ApiError):
    """The key may not spend that much more in this month."""

    def __init__(self, needed: int, cap: int) -> None:
        super().__init__(
            402,
            f"This request may cost {credits_of(needed)} credits, which is more than this key may "
            f"still spend this month (its cap is {credits_of(cap)}): ask for fewer tokens, raise "
            "the cap, or use another key.",
            kind="insufficient_credits",
            code="spending_cap_reached",
        )


class HoldLost(HearthError):
    """What was held for a request is settled or given back already, by another than its holder."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"The request {request_id} holds no credits any more, because this server was taken "
            "for dead or the time of the hold was over: send the request again."
        )
