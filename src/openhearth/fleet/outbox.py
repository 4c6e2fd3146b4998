"""What a node has for its gateways: all parts of one step of an engine go out as one message.

The readers of an engine's streams are woken together after a step, and run in one turn of the event
loop. The sender's turn comes after theirs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from openhearth.errors import HearthError
from openhearth.fleet.bus import Bus
from openhearth.fleet.messages import Part, answers, encode_parts

log = logging.getLogger(__name__)


class Outbox:
    """Sends for a node what is put in, in order. `run` does it."""

    def __init__(self, bus: Bus, node: str) -> None:
        self._bus = bus
        self._node = node
        self._parts: defaultdict[str, list[Part]] = defaultdict(list)  # by gateway
        self._filled = asyncio.Event()

    def put(self, gateway: str, part: Part) -> None:
        """Send a part soon."""
        self._parts[gateway].append(part)
        self._filled.set()

    async def run(self) -> None:
        """Send, until it is cancelled."""
        while True:
            await self._filled.wait()
            await self.send()

    async def send(self) -> None:
        """Send what is here. What cannot be sent is missed by the gateway, which counts."""
        self._filled.clear()
        everything, self._parts = self._parts, defaultdict(list)
        for gateway, parts in everything.items():
            try:
                for message in encode_parts(self._node, parts):
                    await self._bus.publish(answers(gateway), message)
            except HearthError as error:
                log.warning("%d parts for a gateway are lost: %s", len(parts), error)
