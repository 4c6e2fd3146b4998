"""What a request gives to read, as text whose tokens can be counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def prompt_texts(request: Mapping[str, Any]) -> list[str]:
    """The messages and tools of a chat, the prompt of a completion, or the texts to embed."""
    texts = [text for message in request.get("messages", ()) for text in _message(message)]
    if tools := request.get("tools"):
        texts.append(json.dumps(tools, ensure_ascii=False))
    for name in ("prompt", "input"):
        given = request.get(name, ())
        texts += [given] if isinstance(given, str) else given
    return texts


def _message(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content") or ""
    if isinstance(content, str):
        yield content
    else:
        yield from (part.get("text", "") for part in content)
    if calls := message.get("tool_calls"):
        yield json.dumps(calls, ensure_ascii=False)
