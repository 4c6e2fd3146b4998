"""An answer in the forms of OpenAI's API: events of a stream, or one object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from openhearth.bench.stub.answers import Answer, Piece
from openhearth.bench.stub.language import WORDS
from openhearth.inference.sampler import Choice

CREATED = 1_700_000_000
DONE = b"data: [DONE]\n\n"
JSON, STREAM, PAGE = b"application/json", b"text/event-stream", b"text/html"


def chunked(data: bytes) -> bytes:
    """Bytes as one chunk of a body, the last if there are none."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def head(status: int, kind: bytes, length: int | None = None, more: bytes = b"") -> bytes:
    """The beginning of a response; without a length its body comes in chunks."""
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    form = b"HTTP/1.1 %d -\r\ncontent-type: %s\r\n%s\r\n%s\r\n"
    return form % (status, kind, framing, more)


def whole(status: int, value: Any, more: bytes = b"") -> bytes:
    """A response that is JSON."""
    body = orjson.dumps(value)
    return head(status, JSON, len(body), more) + body


def event(value: Any) -> bytes:
    """One event of a stream, as a chunk of its body."""
    return chunked(b"data: %s\n\n" % orjson.dumps(value))


def error(status: int, message: str, more: bytes = b"") -> bytes:
    """A refusal."""
    return whole(status, {"error": {"message": message, "code": status}}, more)


class Form:
    """How an answer to a chat, or to a request for a completion, is written."""

    def __init__(self, answer: Answer, usage_factor: float, *, chat: bool) -> None:
        self._answer = answer
        self._factor = usage_factor
        self._chat = chat
        kind = "chat.completion" if chat else "text_completion"
        self._head = {"id": "stub", "created": CREATED, "model": answer.model, "object": kind}
        self._chunk = self._head | ({"object": kind + ".chunk"} if chat else {})
        self._calls = 0

    def role(self) -> bytes:
        """What comes before all content."""
        return self._event({"role": "assistant", "content": ""}) if self._chat else b""

    def events(self, size: int) -> Iterator[bytes]:
        """The content, in events of `size` tokens."""
        pieces = self._answer.pieces
        for start in range(0, len(pieces), size):
            yield b"".join(map(self._content, _alike(pieces[start : start + size])))

    def last(self, *, usage: bool) -> bytes:
        """Why the answer ends, what it took, and that it is over."""
        end = self._event({}, self._answer.finish)
        told = event(self._chunk | {"choices": [], "usage": self.usage()}) if usage else b""
        return end + told + chunked(DONE) + chunked(b"")

    def whole(self) -> dict[str, Any]:
        """All in one object."""
        pieces = self._answer.pieces
        choice: dict[str, Any] = {"index": 0, "finish_reason": self._answer.finish}
        choice["logprobs"] = self._logprobs(pieces)
        if self._chat:
            choice["message"] = self._message(pieces)
        else:
            choice["text"] = _text(pieces)
        return self._head | {"choices": [choice], "usage": self.usage()}

    def usage(self) -> dict[str, Any]:
        """As it is told."""
        answer, factor = self._answer, self._factor
        prompt = round(answer.prompt_tokens * factor)
        completion = round((len(answer.pieces) - answer.echoed) * factor)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def _message(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant"}
        message["content"] = _text([p for p in pieces if p.part == "text"])
        if thoughts := [p for p in pieces if p.part == "thought"]:
            message["reasoning_content"] = _text(thoughts)
        if calls := [p for p in pieces if p.part == "call"]:
            function = {"name": calls[0].call, "arguments": _text(calls)}
            call = {"id": "call_0", "type": "function", "function": function}
            message |= {"content": None, "tool_calls": [call]}
        return message

    def _content(self, pieces: Sequence[Piece]) -> bytes:
        text, first = _text(pieces), pieces[0]
        if first.part == "thought":
            return self._event({"reasoning_content": text})
        if first.part == "text":
            return self._event({"content": text}, None, self._logprobs(pieces))
        call: dict[str, Any] = {"index": 0, "function": {"arguments": text}}
        if first.call:
            call |= {"id": "call_0", "type": "function"}
            call["function"] = {"name": first.call, "arguments": text}
        return self._event({"tool_calls": [call]})

    def _event(
        self, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "logprobs": logprobs}
        if self._chat:
            choice["delta"] = delta
        else:
            choice["text"] = delta.get("content", "")
        return event(self._chunk | {"choices": [choice]})

    def _logprobs(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        told = [(p.text, p.choice) for p in pieces]
        if not any(choice and choice.top for _, choice in told):
            return None
        if self._chat:
            return {"content": [_told(text, choice) for text, choice in told if choice]}
        return {
            "tokens": [text for text, _ in told],
            "token_logprobs": [choice.logprob if choice else None for _, choice in told],
            "top_logprobs": [
                {WORDS[i]: lp for i, lp in choice.top} if choice else None for _, choice in told
            ],
        }


def _alike(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The same, in lists of one part each."""
    mine: list[Piece] = []
    for piece in pieces:
        if mine and mine[0].part != piece.part:
            yield mine
            mine = []
        mine.append(piece)
    yield mine


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _told(text: str, choice: Choice) -> dict[str, Any]:
    top = [_one(WORDS[token], logprob) for token, logprob in choice.top]
    return _one(text, choice.logprob) | {"top_logprobs": top}


def _one(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
