"""What one event of a stream adds, or one answer in one piece has."""

from __future__ import annotations

from typing import Any

from openhearth.bench.records import Chunk, Failure, Part

LARGEST_COUNT = 2**53  # what JSON's numbers are sure to hold
Call = dict[str, str]  # id, name and arguments


class Said:
    """All that was read so far; the fields are those of a `Record`. Texts are kept as they came, so
    that tokens can be counted over all of them (rule 24).
    """

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.events = 0
        self.finish: str | None = None
        self.prompt_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.logprobs: list[dict[str, Any]] = []
        self.seen_model: str | None = None
        self.calls: dict[int, Call] = {}  # of tools, by index
        self.vectors = 0
        self.over = False  # the server said that it was
        self.failure: Failure | None = None
        self.detail = ""

    def fail(self, failure: Failure, detail: str) -> None:
        """Tell what is wrong; the first that is counts."""
        if self.failure is None:
            self.failure, self.detail = failure, detail


def take(said: Said, at: float, value: Any) -> None:
    """An object of chat or completions.

    Raises:
        ValueError, TypeError, AttributeError, KeyError: it has not the API's form.
    """
    said.seen_model = _text(value.get("model")) or said.seen_model
    if (usage := value.get("usage")) is not None:
        _take_usage(said, usage)
    for choice in value.get("choices") or ():
        said.finish = _text(choice.get("finish_reason")) or said.finish
        _take_content(said, at, choice)
        if logprobs := choice.get("logprobs"):
            told = logprobs.get("content") if "content" in logprobs else _as_chat(logprobs)
            said.logprobs += [dict(one) for one in told or ()]


def take_vectors(said: Said, at: float, value: Any) -> None:
    """An object of embeddings; of the vectors it is only seen that they are there.

    Raises:
        ValueError, TypeError, AttributeError, KeyError: it has not the API's form.
    """
    said.seen_model = _text(value.get("model"))
    if (usage := value.get("usage")) is not None:
        _take_usage(said, usage)
    said.vectors = sum(1 for one in value["data"] if one["embedding"])


def _take_content(said: Said, at: float, choice: dict[str, Any]) -> None:
    """Text, thoughts and calls, each a chunk of its own; of all that may be missing, or null."""
    if "text" in choice:
        _add(said, at, choice["text"], Part.TEXT)
    delta = choice.get("delta") or choice.get("message") or {}
    _add(said, at, delta.get("reasoning_content") or delta.get("reasoning"), Part.THOUGHT)
    _add(said, at, delta.get("content") or delta.get("refusal"), Part.TEXT)
    for place, call in enumerate(delta.get("tool_calls") or ()):
        _add(said, at, _take_call(said, call.get("index", place), call), Part.TOOL_CALL)


def _add(said: Said, at: float, text: Any, part: Part) -> None:
    if text := _text(text):
        said.chunks.append(Chunk(at, text, part))


def _take_call(said: Said, index: Any, part: dict[str, Any]) -> str:
    """The text of a part of a call: names go before arguments, and each call has its own line."""
    if not isinstance(index, int):
        raise ValueError(f"the index of a call is {index!r}")
    new = index not in said.calls
    call = said.calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
    function = part.get("function") or {}
    name, arguments = _text(function.get("name")), _text(function.get("arguments"))
    call["id"] += _text(part.get("id"))
    call["name"] += name
    call["arguments"] += arguments
    return "\n" * (new and len(said.calls) > 1) + name + arguments


def _take_usage(said: Said, usage: dict[str, Any]) -> None:
    said.prompt_tokens = _count(usage.get("prompt_tokens"), said.prompt_tokens)
    said.completion_tokens = _count(usage.get("completion_tokens"), said.completion_tokens)
    details = usage.get("prompt_tokens_details") or {}
    said.cached_tokens = _count(details.get("cached_tokens"), said.cached_tokens)


def _count(value: Any, before: int | None) -> int | None:
    if value is None:
        return before
    if not isinstance(value, int) or not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"{value!r} is no number of tokens")
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.100} is no text")
    return value


def _as_chat(logprobs: dict[str, Any]) -> list[dict[str, Any]]:
    """Log-probabilities of completions in the form of those of chat."""
    tokens, own = logprobs["tokens"], logprobs["token_logprobs"]
    tops = logprobs.get("top_logprobs") or [None] * len(tokens)
    return [
        _one(token, logprob) | {"top_logprobs": [_one(*pair) for pair in (top or {}).items()]}
        for token, logprob, top in zip(tokens, own, tops, strict=True)
    ]


def _one(token: str, logprob: float | None) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
