"""The engine: models and adapters by name, requests in, streams of text out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import NotFound, UsageError
from openhearth.inference.answer import Answer
from openhearth.inference.executor import open_executor
from openhearth.inference.lane import Lane
from openhearth.inference.loop import Loop
from openhearth.inference.request import ContextTooLong, ModelCard, Request, Sampling
from openhearth.inference.sequence import Sequence as Running
from openhearth.inference.stream import Stream
from openhearth.inference.text import TextStream
from openhearth.models import ModelConfig, base_of, find
from openhearth.store import Artifact, Store

KV_MEMORY = 2**30  # bytes
MOST_RUNNING = 32  # sequences computed together

Messages = Sequence[Mapping[str, str]]
Prompt = str | Sequence[int] | Messages


@dataclass(frozen=True)
class Settings:
    """How to open models: see `Engine`."""

    executor: str = "auto"
    kv_memory: int = KV_MEMORY
    threads: int | None = None
    dtype: str = "auto"
    most_running: int = MOST_RUNNING


@dataclass(frozen=True)
class Served:
    """A name under which requests come, and what answers them."""

    card: ModelCard
    tokenizer: Tokenizer
    lane: Lane
    adapter: str | None


class Engine:
    """Serves several models at once; adapters share the weights of their base.

    A model is a name in the store or in the catalogue (`smollm2-135m`), a GGUF file, or a Hugging
    Face directory. `settings` are: `executor` (`native`, `torch`, or `auto`), `kv_memory` (bytes
    for keys and values, shared evenly by the base models), `threads`, `dtype`, and `most_running`
    (sequences computed together).

    A context manager. Its methods may be called from any thread.

    Raises:
        NotFound: a model means nothing.
        UsageError: it means neither a model nor an adapter, or a setting is wrong.
        CorruptArtifact: weights are damaged.
    """

    def __init__(self, *models: str | Path, store: Store | None = None, **settings: Any) -> None:
        if not models:
            raise UsageError("No model is named: give at least one.")
        home, chosen = store or Store(), Settings(**settings)
        artifacts = {str(model): find(home, model) for model in models}
        served: list[Served] = []

        def load() -> list[Lane]:
            bases = {base_of(a).digest: base_of(a) for a in artifacts.values()}.values()
            for base in bases:
                mine = {n: a for n, a in artifacts.items() if base_of(a) == base}
                served.extend(_load(base, mine, chosen, chosen.kv_memory // len(bases)))
            return list(dict.fromkeys(one.lane for one in served))

        self._loop = Loop(load)
        self._served = {one.card.name: one for one in served}

    @classmethod
    def open(cls, store: Store, names: Iterable[str], **settings: Any) -> Engine:
        """The same for names in a store."""
        return cls(*names, store=store, **settings)

    def models(self) -> list[ModelCard]:
        """What is served."""
        return [one.card for one in self._served.values()]

    def tokenizer(self, model: str) -> Tokenizer:
        """The tokenizer of a served model.

        Raises:
            NotFound: it is not served.
        """
        return self._get(model).tokenizer

    def submit(self, request: Request) -> Stream:
        """Start on a request.

        Raises:
            NotFound: the model is not served.
            UsageError: the prompt is empty, a token is not in the model's vocabulary, or the
                constraint cannot be followed.
            ContextTooLong: prompt and answer do not fit the context, or the memory.
            EngineBusy: the queue is full or the engine is closing.
        """
        served = self._get(request.model)
        sampling = request.sampling
        _check(served, request.prompt, sampling.logit_bias, wanted=sampling.max_tokens)
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed % 2**64
        text = TextStream(served.tokenizer, request.prompt, sampling.stop)
        sequence = Running(request, served.adapter, seed, text, self._loop.stream())
        served.lane.prepare(sequence)
        self._loop.submit(served.lane, sequence)
        return sequence.stream

    def stream(self, prompt: Prompt, *, model: str | None = None, **sampling: Any) -> Stream:
        """Answer a prompt: a text, token ids, or messages, which the model's template frames.

        For `for` or `async for`. `sampling` are fields of `Sampling`. Without `model`, the first
        answers. Raises what `submit` raises.
        """
        name = model or next(iter(self._served))
        ids = _encode(self.tokenizer(name), prompt)
        return self.submit(Request(name, ids, Sampling(**sampling)))

    def generate(self, prompt: Prompt, *, model: str | None = None, **sampling: Any) -> Answer:
        """The whole answer; the arguments are those of `stream`."""
        answer = Answer()
        for delta in self.stream(prompt, model=model, **sampling):
            answer.add(delta)
        return answer

    async def agenerate(
        self, prompt: Prompt, *, model: str | None = None, **sampling: Any
    ) -> Answer:
        """`generate` for event loops. Cancelling it cancels the request."""
        answer = Answer()
        stream = self.stream(prompt, model=model, **sampling)
        try:
            async for delta in stream:
                answer.add(delta)
        finally:
            stream.cancel()
        return answer

    def logits(self, ids: Sequence[int], *, model: str | None = None) -> np.ndarray:
        """What a model expects after each of `ids`: fp32 [len(ids), vocab_size].

        Raises:
            UsageError, ContextTooLong: as `submit`.
            EngineBusy: running requests need the memory, or the engine is closing.
        """
        served = self._get(model or next(iter(self._served)))
        _check(served, ids, wanted=0)
        return self._loop.call(lambda: served.lane.logits(list(ids), served.adapter))

    def close(self) -> None:
        """Stop; running requests end as cancelled, later ones are refused."""
        self._loop.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _get(self, model: str) -> Served:
        if model not in self._served:
            known = ", ".join(self._served)
            raise NotFound(f"The model {model!r} is not served here: use one of {known}.")
        return self._served[model]


def _load(
    base: Artifact, named: Mapping[str, Artifact], settings: Settings, memory: int
) -> list[Served]:
    """One base model in memory with its adapters, under each of their names."""
    executor = open_executor(
        settings.executor,
        base,
        {name: artifact for name, artifact in named.items() if artifact.kind == "adapter"},
        memory=memory,
        dtype=settings.dtype,
        threads=settings.threads,
    )
    length = ModelConfig.from_json(base.path("config.json").read_bytes()).context_length
    tokenizer = Tokenizer.load(base)
    lane = Lane(executor, tokenizer, settings.most_running)
    return [
        Served(_card(n, a, length), tokenizer, lane, n if a.kind == "adapter" else None)
        for n, a in named.items()
    ]


def _card(name: str, artifact: Artifact, length: int) -> ModelCard:
    base = base_of(artifact)
    return ModelCard(
        name=name,
        digest=artifact.digest,
        context_length=length,
        base=None
        if base == artifact
        else (artifact.store.names_of(base.digest) or [base.digest])[0],
        license=artifact.manifest.license,
        created=artifact.created,
    )


def _encode(tokenizer: Tokenizer, prompt: Prompt) -> list[int]:
    if isinstance(prompt, str):
        return tokenizer.encode(prompt)
    if prompt and isinstance(prompt[0], Mapping):
        messages = [dict(message) for message in prompt if isinstance(message, Mapping)]
        return tokenizer.encode(tokenizer.chat(messages, add_generation_prompt=True))
    return [token for token in prompt if not isinstance(token, Mapping)]


def _check(
    served: Served, prompt: Sequence[int], biased: Iterable[int] = (), *, wanted: int
) -> None:
    longest = served.card.context_length
    if not prompt:
        raise UsageError("The prompt is empty: give at least one token.")
    size = served.lane.vocab_size
    if not all(0 <= token < size for token in [*prompt, *biased]):
        raise UsageError(f"A token id lies outside the vocabulary: use ids from 0 to {size - 1}.")
    if len(prompt) + wanted > longest:
        raise ContextTooLong(
            f"The prompt has {len(prompt)} tokens and max_tokens is {wanted}, but the context "
            f"holds {longest}: shorten the prompt or ask for less."
        )
    served.lane.check_room(len(prompt) + max(0, wanted - 1))  # the last token is not computed
