"""Tokens a minute: taken when a request comes, and corrected when it ends, however it ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.platform.errors import ApiError
from openhearth.platform.limits import RateLimits
from openhearth.platform.metering import FREE, Limited, NoTab, Tab, paid

MINUTE = 100
CALLER = Caller("key", "proj", "org", None, "owner", SCOPES, Limits(tokens_per_minute=MINUTE))
HTTP: Any = SimpleNamespace(state=SimpleNamespace(caller=CALLER))


class Poor(NoTab):
    """A tab for which there is no credit."""

    async def hold(self, model: str, most: Any) -> None:
        raise ApiError(402, "There is nothing left.")


@pytest.fixture
def limits() -> RateLimits:
    return RateLimits()


def left(limits: RateLimits) -> int:
    return int(limits.headers(CALLER)["x-ratelimit-remaining-tokens"])


def tab(limits: RateLimits) -> Tab:
    return Limited(FREE, limits).tab(HTTP)


def test_the_most_is_taken_and_what_was_used_stays(limits: RateLimits) -> None:
    async def main() -> None:
        one = tab(limits)
        await one.hold("tiny", {"input": 10, "output": 50})
        assert left(limits) == 40
        one.deliver({"input": 10, "output": 5})
        assert left(limits) == 40
        await one.settle({"input": 10, "output": 12})
        assert left(limits) == 78
        await one.close()
        assert left(limits) == 78
        assert one.cost == 0

    asyncio.run(main())


@pytest.mark.parametrize(("delivered", "rest"), [({}, 100), ({"input": 10, "output": 5}, 85)])
def test_who_leaves_used_what_went_out(
    limits: RateLimits, delivered: dict[str, int], rest: int
) -> None:
    async def main() -> None:
        one = tab(limits)
        await one.hold("tiny", {"input": 10, "output": 50})
        if delivered:
            one.deliver(delivered)
        await one.close()
        assert left(limits) == rest

    asyncio.run(main())


def test_too_many_at_once_have_to_wait_and_more_than_ever_is_refused(limits: RateLimits) -> None:
    async def main() -> None:
        await tab(limits).hold("tiny", {"output": 90})
        with pytest.raises(ApiError) as waiting:
            await tab(limits).hold("tiny", {"output": 20})
        assert waiting.value.status == 429
        with pytest.raises(ApiError) as never:
            await tab(limits).hold("tiny", {"output": MINUTE + 1})
        assert never.value.status == 400
        assert left(limits) == 10

    asyncio.run(main())


def test_who_cannot_pay_takes_nothing(limits: RateLimits) -> None:
    poor: Any = SimpleNamespace(tab=lambda http: Poor())

    async def main() -> None:
        with pytest.raises(ApiError) as refused:
            await Limited(poor, limits).tab(HTTP).hold("tiny", {"output": 20})
        assert refused.value.status == 402
        assert left(limits) == MINUTE

    asyncio.run(main())


def test_a_block_pays_for_what_it_says_and_nothing_if_it_fails(limits: RateLimits) -> None:
    async def main() -> None:
        async with paid(tab(limits), "tiny", {"embedding": 60}) as used:
            assert left(limits) == 40
            used["embedding"] = 7
        assert left(limits) == 93
        with pytest.raises(KeyError):
            async with paid(tab(limits), "tiny", {"embedding": 60}):
                raise KeyError
        assert left(limits) == 93

    asyncio.run(main())
