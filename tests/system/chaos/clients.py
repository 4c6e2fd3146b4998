"""Callers who ask for little, some of whom leave in the middle, and what each of them saw."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.system.up import Platform

CLIENTS = 12
PATIENCE = 60.0  # seconds
LONGEST = 60  # tokens of an answer
DATA = "data: "


@dataclass(frozen=True)
class Seen:
    """How a request ended, for its caller. `usage` came with the end of a finished answer."""

    id: str | None
    ended: str  # finished, left, refused, broken
    prompt: int
    most: int
    usage: dict[str, Any] | None = None
    status: int | None = None


@dataclass
class Clients:
    """Ask until they are told to stop."""

    platform: Platform
    seed: int
    seen: list[Seen] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """All of them, each in a thread of its own."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(self._ask, number) for number in range(CLIENTS)]:
                done.result()

    @property
    def ends(self) -> Counter[str]:
        """How many ended in which way."""
        return Counter(one.ended for one in list(self.seen))

    def _ask(self, number: int) -> None:
        chance = random.Random(f"{self.seed}-{number}")
        headers = {"authorization": f"Bearer {self.platform.key}"}
        with httpx.Client(base_url=self.platform.url, headers=headers, timeout=PATIENCE) as http:
            while not self.stop.is_set():
                self.seen.append(ask(http, chance))


def ask(http: httpx.Client, chance: random.Random) -> Seen:
    """One request, from its beginning to whatever end."""
    prompt = [chance.randrange(5, 300) for _ in range(chance.randrange(1, 12))]
    most, stream = chance.randrange(1, LONGEST), chance.random() < 0.6
    leaves = chance.randrange(1, most + 1) if stream and chance.random() < 0.25 else None
    body = {"model": "tiny", "prompt": prompt, "max_tokens": most, "stream": stream}
    body["logit_bias"] = {"2": -100, "4": -100}
    known: dict[str, Any] = {"id": None, "prompt": len(prompt), "most": most}
    try:
        with http.stream("POST", "/v1/completions", json=body) as response:
            known["id"] = response.headers.get("x-request-id")
            if response.status_code != 200:
                return Seen(**known, ended="refused", status=response.status_code)
            if stream:
                return _read(response, known, leaves)
            reply = json.loads(response.read())
            return Seen(**known, ended="finished", usage=reply["usage"])
    except httpx.HTTPError:
        return Seen(**known, ended="broken")


def _read(response: httpx.Response, known: dict[str, Any], leaves: int | None) -> Seen:
    usage = None
    lines = (line for line in response.iter_lines() if line.startswith(DATA))
    for number, line in enumerate(lines):
        said = line.removeprefix(DATA)
        if said == "[DONE]":
            return Seen(**known, ended="finished", usage=usage)
        event = json.loads(said)
        if "error" in event:
            break
        usage = event.get("usage") or usage
        if number == leaves:
            return Seen(**known, ended="left")
    return Seen(**known, ended="broken")
