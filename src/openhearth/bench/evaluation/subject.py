"""The model that is evaluated: a base, and an adapter of it or not, loaded when first needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from openhearth.bench.evaluation.likelihood import Likelihood
from openhearth.data import Tokenizer
from openhearth.errors import UsageError
from openhearth.inference import Engine
from openhearth.models import base_of, config_of, find, load_adapter, load_model
from openhearth.store import Artifact, Store

ADAPTER = "evaluated"  # its name within the loaded model


@dataclass(frozen=True)
class Subject:
    """What answers, in which dtype, and how many tokens it may read at once."""

    base: Artifact
    adapter: Artifact | None
    dtype: str
    context: int

    @classmethod
    def open(
        cls,
        store: Store,
        model: str,
        adapter: str | None = None,
        dtype: str = "float32",
        context: int | None = None,
    ) -> Subject:
        """A model, or an adapter, by its name in the store or the catalogue, or by its path.

        Raises:
            NotFound: there is no such model or adapter.
            UsageError: the adapter is of another model, the model writes no text, or it reads no
                such context.
        """
        found = find(store, model)
        base, named = base_of(found), find(store, adapter) if adapter else None
        if named is not None and (named.kind != "adapter" or base_of(named) != found):
            raise UsageError(
                f"{adapter} is no adapter of {model}: name one that was tuned from it."
            )
        config = config_of(base)
        config.check_writes()
        if context is not None and not 2 <= context <= config.context_length:
            raise UsageError(
                f"{model} reads 2 to {config.context_length} tokens: no context of {context}."
            )
        chosen = named if named is not None else found if found != base else None
        return cls(base, chosen, dtype, context or config.context_length)

    @property
    def inputs(self) -> dict[str, str]:
        """For lineage: the digests, by role."""
        adapter = {"adapter": self.adapter.digest} if self.adapter is not None else {}
        return {"model": self.base.digest} | adapter

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Of the base."""
        return Tokenizer.load(self.base)

    @cached_property
    def first(self) -> int:
        """What stands before a text that has nothing before it: the token that the model wants
        there, else the end of the text before.
        """
        return self.tokenizer.end_of_text if self.tokenizer.bos is None else self.tokenizer.bos

    @cached_property
    def likelihood(self) -> Likelihood:
        """What scores."""
        model = load_model(self.base, self.dtype).eval()
        if self.adapter is None:
            return Likelihood(model)
        load_adapter(model, self.adapter, ADAPTER)
        return Likelihood(model, ADAPTER)

    @cached_property
    def engine(self) -> Engine:
        """What writes; whoever asks for it closes it."""
        chosen = self.base if self.adapter is None else self.adapter
        return Engine(chosen.digest, store=self.base.store, dtype=self.dtype)

    def close(self) -> None:
        """End the engine, if one was asked for."""
        if "engine" in self.__dict__:
            self.engine.close()
