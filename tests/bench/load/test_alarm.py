"""An alarm rings at its time, never before it, and for the last time that was set."""

from __future__ import annotations

import asyncio
import math
import sys
import time

import pytest
import uvloop

from openhearth.bench.load.alarm import Alarm

EARLY_S = {"linux": 0.0, "other": 0.001}  # by how much timers of libuv may be


@pytest.mark.parametrize("platform", EARLY_S)
def test_it_rings_for_the_last_time_that_was_set(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    async def rung(*times: float) -> float:
        loop = asyncio.get_running_loop()
        bell: asyncio.Future[float] = loop.create_future()
        alarm = Alarm(loop, lambda: bell.done() or bell.set_result(time.monotonic()))
        for at in times:
            alarm.set(at)
        at = await bell
        alarm.set(math.inf)
        alarm.close()
        return at

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        now = time.monotonic()
        soon = now + 0.05
        assert runner.run(rung(soon)) >= soon - EARLY_S[platform]
        later = time.monotonic() + 0.05
        assert runner.run(rung(now, math.inf, later)) >= later - EARLY_S[platform]
        assert runner.run(rung(later + 1000, now)) >= now
