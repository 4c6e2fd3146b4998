"""What an engine serves, and under which names. Of an adapter only its card is made at first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.inference.adapters import Adapters, BetweenSteps
from openhearth.inference.check import Sizes
from openhearth.inference.executor import open_executor
from openhearth.inference.lane import Lane
from openhearth.inference.request import ModelCard
from openhearth.models import base_of, check_adapter, config_of, import_adapter
from openhearth.store import Artifact

if TYPE_CHECKING:
    from openhearth.inference.remote import RemoteLane

KV_MEMORY = ADAPTER_MEMORY = 2**30  # bytes
MOST_RUNNING = 32  # sequences computed together


@dataclass(frozen=True)
class Settings:
    """How to open models: see `Engine`."""

    executor: str = "auto"
    kv_memory: int = KV_MEMORY
    adapter_memory: int = ADAPTER_MEMORY
    threads: int | None = None
    dtype: str = "auto"
    kv_dtype: str = "auto"
    most_running: int = MOST_RUNNING
    remote: str | None = None

    def __post_init__(self) -> None:
        if self.remote and self.executor != "remote":
            raise UsageError(f"A remote server needs the executor remote, not {self.executor}.")
        if self.executor == "remote" and not self.remote:
            raise UsageError(
                "The executor remote needs a server: give its URL, or a command with {port} that "
                "starts one, by --remote."
            )


@dataclass(frozen=True)
class Served:
    """A name under which requests come, and what answers them."""

    card: ModelCard
    tokenizer: Tokenizer
    lane: Lane | RemoteLane
    adapter: str | None

    @property
    def sizes(self) -> Sizes:
        """What `check_request` asks of a model."""
        return Sizes(self.lane.vocab_size, self.card.context_length)

    def check_room(self, prompt: int, wanted: int) -> None:
        """Raise `ContextTooLong` if so many tokens do not fit the memory even alone."""
        self.lane.check_room(prompt + max(0, wanted - 1))  # the last token is not computed

    def hold(self) -> str:
        """Keep in memory what answers, for one request more. Returns the digest of the adapter, if
        it is one, and raises what `Adapters.hold` raises.
        """
        if self.adapter is None or not isinstance(self.lane, Lane):
            return ""
        return self.lane.adapters.hold(self.adapter)

    def release(self) -> None:
        """For one request less."""
        if self.adapter is not None and isinstance(self.lane, Lane):
            self.lane.adapters.release(self.adapter)

    @property
    def is_here(self) -> bool:
        """Whether `hold` has nothing to read."""
        if self.adapter is None or not isinstance(self.lane, Lane):
            return True
        return self.lane.adapters.is_here(self.adapter)


def open_base(
    base: Artifact,
    named: Mapping[str, Artifact],
    further: Mapping[str, str | Path],
    settings: Settings,
    between_steps: BetweenSteps,
) -> list[Served]:
    """One base model in memory, under each of its names, and the adapters that it may carry."""
    executor = open_executor(
        settings.executor,
        base,
        memory=settings.kv_memory,
        dtype=settings.dtype,
        kv_dtype=settings.kv_dtype,
        threads=settings.threads,
    )
    length = config_of(base).context_length
    adapters = {
        name: named_adapter(name, where, base, length)
        for name, where in {**named, **further}.items()
        if where != base
    }
    residents = Adapters(
        executor,
        {name: adapter.find for name, adapter in adapters.items()},
        memory=settings.adapter_memory,
        between_steps=between_steps,
    )
    tokenizer = Tokenizer.load(base)
    lane = Lane(executor, tokenizer, settings.most_running, residents)
    room = min(length, executor.pages * executor.page)
    cards = {name: adapter.card for name, adapter in adapters.items()}
    return [
        Served(
            replace(cards.get(name) or card_of(name, base, length), room=room),
            tokenizer,
            lane,
            name if name in adapters else None,
        )
        for name in {**named, **further}
    ]


@dataclass(frozen=True)
class NamedAdapter:
    """An adapter's card, and how to come by it."""

    card: ModelCard
    find: Callable[[], Artifact]


def named_adapter(
    name: str, where: Artifact | str | Path, base: Artifact, length: int
) -> NamedAdapter:
    """An adapter for a base whose context has `length` tokens: an artifact, its name in the store,
    or a directory, which comes into the store whenever the adapter is read into memory.

    Raises:
        NotFound: there is nothing of this name; the directory lacks a file.
    """
    if isinstance(where, Path):
        check_adapter(where)
        card = ModelCard(name, "", length, _name_of(base), created=int(where.stat().st_mtime))
        return NamedAdapter(card, lambda: import_adapter(base, where))
    artifact = base.store.get(where) if isinstance(where, str) else where
    card = card_of(name, artifact, length, _name_of(base))
    return NamedAdapter(card, lambda: _for_base(artifact, base))


def card_of(name: str, artifact: Artifact, length: int, base: str | None = None) -> ModelCard:
    """The card of a model, or of an adapter for the one that is called `base`."""
    return ModelCard(
        name=name,
        digest=artifact.digest,
        context_length=length,
        base=base,
        license=artifact.manifest.license,
        created=artifact.created,
    )


def _for_base(adapter: Artifact, base: Artifact) -> Artifact:
    if base_of(adapter) != base:
        raise UsageError(
            f"The adapter {_name_of(adapter)} was tuned on {_name_of(base_of(adapter))}, not on "
            f"{_name_of(base)}: serve it with its own base."
        )
    return adapter


def _name_of(artifact: Artifact) -> str:
    return (artifact.store.names_of(artifact.digest) or [artifact.digest])[0]
