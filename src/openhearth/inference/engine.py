"""The engine: models and adapters by name, requests in, streams of text out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import NotFound, UsageError
from openhearth.inference.adapters import BetweenSteps
from openhearth.inference.answer import Answer
from openhearth.inference.beside import beside
from openhearth.inference.check import check_prompt, check_request
from openhearth.inference.executor import ELSEWHERE
from openhearth.inference.lane import Lane
from openhearth.inference.loop import Loop
from openhearth.inference.prompt import Prompt, encode
from openhearth.inference.request import ModelCard, Request, Sampling
from openhearth.inference.runner import Runner
from openhearth.inference.sequence import Sequence as Running
from openhearth.inference.served import Served, Settings, named_adapter, open_base
from openhearth.inference.stream import Stream
from openhearth.inference.text import TextStream
from openhearth.models import base_of, find
from openhearth.store import Store


class Engine:
    """Serves several models at once; adapters share the weights of their base.

    A model is a name in the store or in the catalogue (`smollm2-135m`), a GGUF file, or a Hugging
    Face directory. `adapters` are further ones of the first model, by the names under which they
    are served: each a directory as `peft` writes it, or (a str) a name in the store. `settings`
    are: `executor` (`native`, `torch`, or `auto`), `kv_memory` (bytes for keys and values) and
    `adapter_memory` (bytes for adapters), shared evenly by the base models, `threads`,
    `dtype` of the weights, `kv_dtype` of keys and values, and `most_running` (sequences computed
    together).

    One model may be computed elsewhere instead: by the server at the URL `remote` (executor
    `remote`), or by one that is started, by the command `remote` or as `vllm`, `sglang` or
    `llama-server`; see `openhearth.inference.remote`.

    Adapters are read when they are first asked for. A context manager. Its methods may be called
    from any thread.

    Raises:
        NotFound: a model means nothing.
        UsageError: it means neither a model nor an adapter, or a setting is wrong.
        CorruptArtifact: weights are damaged.
    """

    def __init__(
        self,
        *models: str | Path,
        adapters: Mapping[str, str | Path] | None = None,
        store: Store | None = None,
        **settings: Any,
    ) -> None:
        if not models:
            raise UsageError("No model is named: give at least one.")
        self._store = home = store or Store()
        chosen = Settings(**settings)
        self._loop: Runner
        if chosen.executor in ELSEWHERE:
            self._loop, self._served = _connect(home, [*models, *(adapters or ())], chosen)
            return
        artifacts = {str(model): find(home, model) for model in models}
        bases = list({base_of(a).digest: base_of(a) for a in artifacts.values()}.values())
        share = replace(
            chosen,
            kv_memory=chosen.kv_memory // len(bases),
            adapter_memory=chosen.adapter_memory // len(bases),
        )
        served: list[Served] = []

        def load(between_steps: BetweenSteps) -> list[Lane]:
            for base in bases:
                mine = {n: a for n, a in artifacts.items() if base_of(a) == base}
                further = adapters or {} if base == bases[0] else {}
                served.extend(open_base(base, mine, further, share, between_steps))
            lanes = dict.fromkeys(one.lane for one in served)
            return [lane for lane in lanes if isinstance(lane, Lane)]

        self._loop = Loop(load)
        self._served = {one.card.name: one for one in served}

    @classmethod
    def open(cls, store: Store, names: Iterable[str], **settings: Any) -> Engine:
        """The same for names in a store."""
        return cls(*names, store=store, **settings)

    def add_adapter(self, name: str) -> None:
        """Serve an adapter in the store too, of a model that is served; reading it can wait.

        Raises:
            NotFound: there is nothing of this name.
            UsageError: it is no adapter of these models, or they are computed elsewhere.
        """
        artifact = self._store.get(name)
        base = base_of(artifact)
        of = next((s for s in [*self._served.values()] if s.card.digest == base.digest), None)
        if artifact == base or of is None or not isinstance(of.lane, Lane):
            raise UsageError(
                f"{name} is no adapter of a model that runs in this engine: open one with its base."
            )
        adapter = named_adapter(name, artifact, base, of.card.context_length)
        of.lane.adapters.add(name, adapter.find)
        self._served[name] = Served(adapter.card, of.tokenizer, of.lane, name)

    def models(self) -> list[ModelCard]:
        """What is served. The digest of an adapter from a directory is empty."""
        return [one.card for one in [*self._served.values()]]

    def tokenizer(self, model: str) -> Tokenizer:
        """The tokenizer of a served model.

        Raises:
            NotFound: it is not served.
        """
        return self._get(model).tokenizer

    def is_slow_to_submit(self, request: Request) -> bool:
        """Whether `submit` may take a second: to read an adapter, or to compile a constraint."""
        served = self._served.get(request.model)
        return request.sampling.constraint is not None or not (served is None or served.is_here)

    def submit(self, request: Request) -> Stream:
        """Start on a request.

        Raises:
            NotFound: the model is not served.
            UsageError: the prompt is empty, a token is not in the model's vocabulary, or more
                log-probabilities are asked for than it has tokens.
            BadConstraint: the constraint cannot be followed.
            BadAdapter: the adapter is damaged, or was made for another model.
            ContextTooLong: prompt and answer do not fit the context, or the memory.
            EngineBusy: the queue is full, no memory is left for the adapter, or the engine is
                closing.
        """
        served = self._get(request.model)
        sampling = request.sampling
        check_request(request, served.sizes)
        served.check_room(len(request.prompt), sampling.max_tokens)
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed % 2**64
        text = TextStream(
            served.tokenizer,
            request.prompt,
            sampling.stop,
            skip_special=sampling.skip_special_tokens,
        )
        sequence = Running(request, served.adapter, seed, text, self._loop.stream())
        served.lane.prepare(sequence)
        sequence.weights = served.hold()
        try:
            self._loop.submit(served.lane, sequence)
        except BaseException:
            served.release()
            raise
        return sequence.stream

    def stream(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        priority: int = 0,
        deadline: float | None = None,
        **sampling: Any,
    ) -> Stream:
        """Answer a prompt: a text, token ids, or messages, which the model's template frames.

        For `for` or `async for`. Without `model`, the first answers. `priority` and `deadline` are
        those of `Request`, and `sampling` are fields of `Sampling`. Raises what `submit` raises.
        """
        return self.submit(self._request(prompt, model, priority, deadline, **sampling))

    def generate(self, prompt: Prompt, **options: Any) -> Answer:
        """The whole answer; the options are those of `stream`.

        Raises:
            DeadlinePassed: it could not start in time.
            HearthError: as `submit` says, or the answer failed.
        """
        answer = Answer()
        for delta in self.stream(prompt, **options):
            answer.add(delta)
        return answer

    async def agenerate(self, prompt: Prompt, **options: Any) -> Answer:
        """`generate` for event loops, which it does not hold up. Cancelling it cancels the
        request.
        """
        answer = Answer()
        request = self._request(prompt, **options)
        submit = partial(self.submit, request)
        stream = await beside(submit) if self.is_slow_to_submit(request) else submit()
        try:
            async for delta in stream:
                answer.add(delta)
        finally:
            stream.cancel()
        return answer

    def logits(self, ids: Sequence[int], *, model: str | None = None) -> np.ndarray:
        """What a model expects after each of `ids`: fp32 [len(ids), vocab_size].

        Raises:
            UsageError, ContextTooLong, BadAdapter: as `submit`.
            EngineBusy: running requests need the memory, or the engine is closing.
        """
        served = self._get(model or next(iter(self._served)))
        check_prompt(ids, served.sizes, wanted=0)
        served.check_room(len(ids), 0)
        served.hold()
        try:
            return self._loop.call(lambda: served.lane.logits(list(ids), served.adapter))
        finally:
            served.release()

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

    def _request(
        self,
        prompt: Prompt,
        model: str | None = None,
        priority: int = 0,
        deadline: float | None = None,
        **sampling: Any,
    ) -> Request:
        name = model or next(iter(self._served))
        ids = encode(self.tokenizer(name), prompt)
        return Request(name, ids, Sampling(**sampling), priority, deadline=deadline)

    def _get(self, model: str) -> Served:
        if model not in self._served:
            known = ", ".join(self._served)
            raise NotFound(f"The model {model!r} is not served here: use one of {known}.")
        return self._served[model]


def _connect(
    store: Store, models: Sequence[str | Path], settings: Settings
) -> tuple[Runner, dict[str, Served]]:
    """A model that another server computes."""
    from openhearth.inference.remote import connect

    if len(models) > 1:
        raise UsageError(
            f"The executor {settings.executor} runs one model, and {len(models)} are named: serve "
            "each by itself; an adapter is loaded where its base is."
        )
    name = str(models[0])
    there = connect(store, name, settings.executor, settings.remote, settings.most_running)
    return there.relay, {name: Served(there.card, there.tokenizer, there.lane, None)}
