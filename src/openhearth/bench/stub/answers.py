"""What a stub says to a request: pieces of text, thoughts and calls, with their probabilities."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from openhearth.bench.stub.instances import broken, instance
from openhearth.bench.stub.language import (
    END,
    WORDS,
    Language,
    render,
    rng_of,
    share_of,
    split,
)
from openhearth.bench.stub.truth import Answering, Truth
from openhearth.inference.request import Sampling
from openhearth.inference.sampler import Choice

Part = Literal["text", "thought", "call"]
LONGEST = 1000  # tokens, where a request names no limit


@dataclass(frozen=True)
class Piece:
    """A token of an answer, or of a call's arguments. `call` names the tool, in its first piece."""

    text: str
    part: Part = "text"
    choice: Choice | None = None
    call: str | None = None


@dataclass(frozen=True)
class Answer:
    """All that is said, and how it was come by."""

    pieces: Sequence[Piece]
    prompt_tokens: int
    finish: str = "stop"
    model: str = ""
    lied: bool = False  # by `Truth.instead`
    stored: bool = False
    echoed: int = 0  # of the pieces, those of the prompt


@dataclass
class Answers:
    """A truth's answers, in the order of the requests."""

    truth: Truth
    _stored: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._serves = Language(self.truth.serves)
        self._instead = Language(self.truth.instead) if self.truth.instead else None
        words = (WORDS[1 + i % (len(WORDS) - 1)] for i in range(self.truth.canned or 0))
        self._canned = [Piece(word) for word in words]
        self._seeds = np.random.default_rng(self.truth.seed)

    def answer(self, body: Mapping[str, Any], under_way: int) -> Answer:
        """To a request for chat or a completion, when so many others are under way.

        Raises:
            ValueError, TypeError, KeyError, UsageError: it is none.
        """
        prompt = body["prompt"] if "prompt" in body else render(body["messages"])
        if not isinstance(prompt, str):
            raise ValueError("prompt must be one text")
        if self._canned:
            return Answer(self._canned, len(self._canned), "length", self.truth.model)
        if stored := self._stored.get(prompt):
            return replace(stored, stored=True)
        lies = self._lies(prompt, under_way)
        answering = self.truth.instead if lies and self.truth.instead else self.truth.serves
        language = self._instead if lies and self._instead else self._serves
        seed, known = int(self._seeds.integers(2**63)), self.truth.known
        made = _Maker(answering, language, known, body, prompt, seed).make()
        name = self.truth.model + "-instead" * (lies and self.truth.admits)
        answer = replace(made, model=name, lied=lies)
        if self.truth.stores:
            self._stored[prompt] = answer
        return answer

    def _lies(self, prompt: str, under_way: int) -> bool:
        truth = self.truth
        if truth.instead is None or under_way < truth.instead_from:
            return False
        return truth.instead_not is None or not re.search(truth.instead_not, prompt)


def question_key(text: str) -> str:
    """Under what `Truth.known` has the answer to a question: the last message of a user, or a
    prompt.
    """
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Maker:
    answering: Answering
    language: Language
    known: Mapping[str, str]
    body: Mapping[str, Any]
    prompt: str
    seed: int  # where the request has none

    def make(self) -> Answer:
        limits = (self.body.get(name) for name in ("max_tokens", "max_completion_tokens"))
        most = int(next((limit for limit in limits if limit is not None), LONGEST))
        echoed = self._echoed() if self.body.get("echo") else []
        pieces, ended = self._said(most) if most else ([], False)
        count = max(1, int(len(pieces) * self.answering.shorter))
        ended = ended or count < len(pieces)
        called = any(piece.part == "call" for piece in pieces)
        finish = "tool_calls" if called else "stop" if ended else "length"
        said = [*echoed, *self._thoughts(), *pieces[:count]]
        return Answer(said, len(split(self.prompt)), finish, echoed=len(echoed))

    def _echoed(self) -> list[Piece]:
        """The prompt; what comes after its last `ANSWER`, or all, with its log-probabilities."""
        scored = self.language.score(self.prompt, _logprobs(self.body) or 0)
        head = split(self.prompt)[: -len(scored)] if scored else split(self.prompt)
        return [
            *(Piece(word) for word in head),
            *(Piece(word, choice=choice) for word, choice in scored),
        ]

    def _said(self, most: int) -> tuple[list[Piece], bool]:
        """The pieces of the answer, and whether it came to its end."""
        if (right := self._right()) is not None:
            said = [Piece(word) for word in split(right)]
        elif self._uses(self.body.get("tool_choice")):
            return self._call(), True
        elif (schema := _schema(self.body)) is not None:
            text = json.dumps(self._value(schema), indent=1)
            said = [Piece(word) for word in split(text)]
        else:
            return self._words(most)
        return said[:most], len(said) <= most

    def _right(self) -> str | None:
        """The known answer, if this question is one of those that are solved."""
        users = [m for m in self.body.get("messages", ()) if m.get("role") == "user"]
        question = users[-1].get("content") if users else self.body.get("prompt")
        if not isinstance(question, str) or not self.known:
            return None
        solved = share_of("solves", question) < self.answering.solves
        return self.known.get(question_key(question)) if solved else None

    def _uses(self, tool_choice: Any) -> bool:
        if not self.body.get("tools") or tool_choice == "none":
            return False
        forced = tool_choice == "required" or isinstance(tool_choice, Mapping)
        return forced or share_of("calls", self.prompt) < self.answering.calls

    def _call(self) -> list[Piece]:
        tools = self.body["tools"]
        tool = tools[int(share_of("tool", self.prompt) * len(tools))]["function"]
        text = json.dumps(self._value(tool.get("parameters", {})))
        first, *rest = split(text)
        return [
            Piece(first, "call", call=tool["name"]),
            *(Piece(word, "call") for word in rest),
        ]

    def _value(self, schema: Any) -> Any:
        value = instance(schema, rng_of("value", self.prompt))
        return value if share_of("valid", self.prompt) < self.answering.valid else broken(value)

    def _words(self, most: int) -> tuple[list[Piece], bool]:
        """Words of the language, by the request's own way of choosing."""
        body = self.body
        sampling = Sampling(
            max_tokens=most,
            temperature=float(body.get("temperature", 1.0)),
            top_p=float(body.get("top_p", 1.0)),
            top_k=int(body.get("top_k", 0)),
        )
        seed = body.get("seed")
        seed = self.seed if seed is None else int(seed)
        chosen = self.language.answer(self.prompt, sampling, seed, _logprobs(body))
        pieces = [Piece(WORDS[choice.token], choice=choice) for choice in chosen]
        ended = bool(pieces) and pieces[-1].text == WORDS[END]
        return (pieces[:-1] if ended else pieces), ended

    def _thoughts(self) -> list[Piece]:
        sampling = Sampling(max_tokens=max(1, self.answering.thinks), temperature=0)
        if self.answering.thinks == 0:
            return []
        chosen = self.language.answer(f"thoughts on {self.prompt}", sampling, 0)
        return [Piece(WORDS[choice.token], "thought") for choice in chosen if choice.token != END]


def _logprobs(body: Mapping[str, Any]) -> int | None:
    """How many alternatives are asked for: a number for completions, two fields for chat."""
    asked = body.get("logprobs")
    if asked is None or asked is False:
        return None
    return int(body.get("top_logprobs", 0)) if asked is True else int(asked)


def _schema(body: Mapping[str, Any]) -> Any:
    form = body.get("response_format") or {}
    return form.get("json_schema", {}).get("schema") if form.get("type") == "json_schema" else None
