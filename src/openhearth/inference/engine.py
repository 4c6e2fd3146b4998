"""The engine: models and adapters by name, requests in, streams of text out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import NotFound, UsageError
from openhearth.inference.lane import Lane
from openhearth.inference.loop import Loop
from openhearth.inference.request import ContextTooLong, ModelCard, Request
from openhearth.inference.scheduler import Sequence
from openhearth.inference.stream import Stream
from openhearth.inference.text import TextStream
from openhearth.models import base_of, load_adapter, load_model
from openhearth.store import Artifact, Store

SLOTS = 16  # sequences computed together
CONTEXT = 4096  # tokens a sequence may have; bounds the memory of the cache


@dataclass(frozen=True)
class Served:
    """A name under which requests come, and what answers them."""

    card: ModelCard
    tokenizer: Tokenizer
    lane: Lane
    adapter: str | None


class Engine:
    """Serves several models at once; adapters share the weights of their base.

    A context manager. Its methods may be called from any thread.
    """

    def __init__(self, loop: Loop, served: Iterable[Served]) -> None:
        self._loop = loop
        self._served = {one.card.name: one for one in served}

    @classmethod
    def open(
        cls,
        store: Store,
        names: Iterable[str],
        *,
        dtype: str = "auto",
        slots: int = SLOTS,
        context: int = CONTEXT,
    ) -> Engine:
        """Load what `names` mean and start serving.

        Raises:
            NotFound: a name means nothing in the store.
            UsageError: it means neither a model nor an adapter.
            CorruptArtifact: weights are damaged.
        """
        artifacts = {name: store.get(name) for name in names}
        served: list[Served] = []

        def load() -> list[Lane]:
            for base in {base_of(a).digest: base_of(a) for a in artifacts.values()}.values():
                mine = {n: a for n, a in artifacts.items() if base_of(a) == base}
                served.extend(_load(base, mine, dtype, slots, context))
            return list(dict.fromkeys(one.lane for one in served))

        return cls(Loop(load), served)

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
            UsageError: the prompt is empty, or a token is not in the model's vocabulary.
            ContextTooLong: prompt and answer do not fit the context.
            EngineBusy: the queue is full or the engine is closing.
        """
        served = self._get(request.model)
        _check(request, served)
        sampling = request.sampling
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed % 2**64
        text = TextStream(served.tokenizer, request.prompt, sampling.stop)
        sequence = Sequence(request, served.adapter, seed, text)
        self._loop.submit(served.lane, sequence)
        return sequence.stream

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
    base: Artifact, named: Mapping[str, Artifact], dtype: str, slots: int, context: int
) -> list[Served]:
    """One base model in memory with its adapters, under each of their names."""
    model, tokenizer = load_model(base, dtype), Tokenizer.load(base)
    for name, artifact in named.items():
        if artifact.kind == "adapter":
            load_adapter(model, artifact, name)
    length = min(context, model.config.context_length)
    lane = Lane(model, tokenizer, slots, length)
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


def _check(request: Request, served: Served) -> None:
    prompt, longest = request.prompt, served.card.context_length
    if not prompt:
        raise UsageError("The prompt is empty: give at least one token.")
    size = served.tokenizer.vocab_size
    if not all(0 <= token < size for token in [*prompt, *request.sampling.logit_bias]):
        raise UsageError(f"A token id lies outside the vocabulary: use ids from 0 to {size - 1}.")
    wanted = request.sampling.max_tokens
    if len(prompt) + wanted > longest:
        raise ContextTooLong(
            f"The prompt has {len(prompt)} tokens and max_tokens is {wanted}, but the context "
            f"holds {longest}: shorten the prompt or ask for less."
        )
