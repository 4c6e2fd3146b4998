"""Texts to tokens with what is to be learnt of them: rows of fine-tuning files, span by span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openhearth.data.tokenizer import Tokenizer
from openhearth.data.tokens.turns import turns
from openhearth.errors import UsageError

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Encoded:
    """A sequence: token ids, and for each whether it counts."""

    ids: list[int]
    counts: list[bool]
    empty: bool = False  # an answer has no text, or none counts

    def cut(self, most: int) -> Encoded:
        """Its first `most` tokens."""
        return Encoded(self.ids[:most], self.counts[:most], self.empty)


def encode_row(
    tokenizer: Tokenizer, name: str, row: Mapping[str, Any], inputs: bool | str
) -> list[Encoded]:
    """The sequences of a row of a format: one; of a preference two, the chosen one first; of a
    pair two or three. `inputs` says whether prompts count; `auto`: they do where text is all.

    Raises:
        UsageError: the model has no chat template, or it refuses these messages.
    """
    everything = inputs is True
    if name == "messages":
        return [encode_messages(tokenizer, row["messages"], row.get("tools"), everything)]
    if name == "prompt":
        return [_completion(tokenizer, row["prompt"], row["completion"], everything)]
    if name == "text":
        return [_text(tokenizer, row["text"])]
    if name == "preference":
        asked = row["input"]["messages"]
        sides = row["preferred_output"], row["non_preferred_output"]
        tools = row["input"].get("tools")
        return [_answer(tokenizer, asked, side, tools) for side in sides]
    if name == "chosen":
        return [_side(tokenizer, row["prompt"], row[side]) for side in ("chosen", "rejected")]
    texts = [row["anchor"], row["positive"], *([row["negative"]] if "negative" in row else [])]
    return [_whole(tokenizer, text) for text in texts]


def encode_messages(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
    everything: bool = False,
) -> Encoded:
    """A conversation; every answer with a weight other than 0 counts, with the end of its turn.

    Where the template writes a conversation otherwise once it goes on, as those do that drop
    earlier thoughts, only the last answer counts: it alone is what the model would say.

    Raises:
        UsageError: the model has no chat template, or it refuses these messages.
    """
    answers = [i for i, m in enumerate(messages) if m["role"] == "assistant" and m.get("weight", 1)]
    spans = _spans(tokenizer, messages, tools, answers)
    if spans is None:
        spans = _spans(tokenizer, messages, tools, answers[-1:])
    if spans is None:
        raise UsageError(
            "The model's chat template does not write an answer after its prompt: use the format "
            "`prompt` with `completion`."
        )
    empty = not spans or any(counts and not text for text, counts in spans)
    return _join(tokenizer, spans, everything, empty)


def _spans(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None,
    answers: Sequence[int],
) -> list[tuple[str, bool]] | None:
    """Prompts and answers in turn, as the template writes them; None if it writes back."""
    end = tokenizer.token_text(tokenizer.end_of_turn)
    spans: list[tuple[str, bool]] = []
    written = ""
    said_as = turns(messages)
    for i in answers:
        before = tokenizer.chat(said_as[:i], add_generation_prompt=True, tools=tools)
        after = tokenizer.chat(said_as[: i + 1], tools=tools)
        if not (before.startswith(written) and after.startswith(before)):
            return None
        said = after[len(before) :].partition(end)[0]
        spans += [(before[len(written) :], False), (said, True)]
        written = before + said + end
    return spans


def _join(
    tokenizer: Tokenizer, spans: Sequence[tuple[str, bool]], everything: bool, empty: bool
) -> Encoded:
    ids: list[int] = []
    counts: list[bool] = []
    for number, (text, counted) in enumerate(spans):
        span = tokenizer.encode(text, add_bos=number == 0)
        if counted:
            span.append(tokenizer.end_of_turn)
        ids += span
        counts += [counted or everything] * len(span)
    return Encoded(ids, [counted and i > 0 for i, counted in enumerate(counts)], empty)


def _answer(
    tokenizer: Tokenizer,
    asked: Sequence[Message],
    said: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> Encoded:
    """A conversation of which only the answer at its end counts."""
    silent = [{**m, "weight": 0} if m["role"] == "assistant" else m for m in asked]
    return encode_messages(tokenizer, [*silent, *said], tools)


def _side(tokenizer: Tokenizer, prompt: Any, said: Any) -> Encoded:
    if isinstance(prompt, str) and isinstance(said, str):
        return _completion(tokenizer, prompt, said, False)
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    answer = [{"role": "assistant", "content": said}] if isinstance(said, str) else said
    return _answer(tokenizer, asked, answer)


def _completion(tokenizer: Tokenizer, prompt: str, said: str, everything: bool) -> Encoded:
    """Text without a template, and the end of a turn after it."""
    return _join(tokenizer, [(prompt, False), (said, True)], everything, not said.strip())


def _text(tokenizer: Tokenizer, text: str) -> Encoded:
    """A document with its end, of which all but the first token counts."""
    ids = [*tokenizer.encode(text), tokenizer.end_of_text]
    return Encoded(ids, [i > 0 for i in range(len(ids))], not text.strip())


def _whole(tokenizer: Tokenizer, text: str) -> Encoded:
    """A text that is seen as a whole, framed as its model wants it."""
    ids = tokenizer.encode_framed(text)
    return Encoded(ids, [True] * len(ids), not text.strip())


def runs(encoded: Encoded) -> Iterator[tuple[list[int], bool]]:
    """Neighbouring tokens that all count, or all do not."""
    start = 0
    for i in range(1, len(encoded.ids) + 1):
        if i == len(encoded.ids) or encoded.counts[i] != encoded.counts[start]:
            yield encoded.ids[start:i], encoded.counts[start]
            start = i
