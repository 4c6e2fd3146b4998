"""The official clients, where installed, against the demo's server: only the URL differs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from openhearth.bench.own_server import Server
from openhearth.errors import HearthError

REQUEST: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What does len() return?"}],
    "max_tokens": 16,
    "temperature": 0,
    "stream": True,
}


def ask_clients(server: Server, model: str) -> dict[str, str]:
    """What each client that is installed here got for an answer, streamed.

    Raises:
        HearthError: one got nothing.
    """
    found = {}
    for name, connect in CLIENTS.items():
        if importlib.util.find_spec(name) is None:
            continue
        with connect(server) as client:
            stream = client.chat.completions.create(model=model, **REQUEST)
            parts = [c.choices[0].delta.content or "" for c in stream if c.choices]
        if not any(parts):
            raise HearthError(f"The {name} client got an empty answer from {server.url}.")
        found[name] = "".join(parts)
    return found


def _openai(server: Server) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=f"{server.url}/v1", api_key=server.key)


def _together(server: Server) -> Any:
    from together import Together

    return Together(base_url=server.url, api_key=server.key)


CLIENTS: dict[str, Callable[[Server], Any]] = {"openai": _openai, "together": _together}
