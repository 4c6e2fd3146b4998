"""`GET /v1/models` and `GET /v1/models/{model}`: what this server can be asked.

Old clients of Together's read the list bare, without an object around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from openhearth.errors import NotFound
from openhearth.inference.request import ModelCard
from openhearth.platform.dialect import speaks_together
from openhearth.platform.embedding.ports import Embedder, EmbeddingCard
from openhearth.platform.tenant import tenant_of

if TYPE_CHECKING:
    from openhearth.data import Tokenizer
    from openhearth.fleet.memory import Memory
    from openhearth.inference import Engine

PROJECT = "proj_"  # how ids of projects begin
Card = ModelCard | EmbeddingCard


class Model(BaseModel):
    """A model or adapter; beyond OpenAI's fields, what it is made of, and whether it is in memory
    and how many seconds it took to come there, as far as that is known. An adapter from a directory
    has no digest.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "openhearth"
    type: Literal["chat", "embedding"]
    context_length: int
    digest: str | None
    base: str | None
    license: list[str]
    state: Literal["loaded", "not_loaded"] | None
    load_seconds: float | None


class BareModel(BaseModel):
    """The same as Together's old clients read it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    type: Literal["chat", "embedding"]
    display_name: str
    organization: str
    license: str
    context_length: int


class ModelList(BaseModel):
    """All of them; the route has no pages."""

    object: Literal["list"] = "list"
    data: list[Model]


def is_visible(name: str, project: str) -> bool:
    """Whether a project may know of a name: what begins with a project is that one's alone."""
    owner, slash, _ = name.partition("/")
    return owner == project or not (slash and owner.startswith(PROJECT))


def not_served(name: str) -> NotFound:
    """What is said of a name that nothing has, and of one that belongs to another project."""
    return NotFound(f"The model {name!r} is not served here: GET /v1/models lists what is.")


def tokenizer_of(engine: Engine, name: str, project: str) -> Tokenizer:
    """The tokenizer of a model that writes.

    Raises:
        NotFound: the project knows none of this name.
    """
    if is_visible(name, project):
        with suppress(NotFound):
            return engine.tokenizer(name)
    raise not_served(name)


def find_card(engine: Engine, name: str) -> ModelCard | None:
    """The card of a model that writes; None if it is not served."""
    return next((card for card in engine.models() if card.name == name), None)


def describe(card: Card, memory: Memory | None = None) -> Model:
    """A card in the API's words; without a `memory` all that writes is always there."""
    writes = isinstance(card, ModelCard)
    load = memory.find(card.name) if memory and writes else None
    return Model(
        id=card.name,
        created=card.created,
        type="chat" if writes else "embedding",
        context_length=card.context_length,
        digest=card.digest or None,
        base=card.base if isinstance(card, ModelCard) else None,
        license=list(card.license),
        state=("loaded" if load or not memory else "not_loaded") if writes else None,
        load_seconds=load.seconds if load else None,
    )


def _bare(model: Model) -> BareModel:
    return BareModel(
        id=model.id,
        created=model.created,
        type=model.type,
        display_name=model.id,
        organization=model.owned_by,
        license=", ".join(model.license),
        context_length=model.context_length,
    )


def served(engine: Engine, embedder: Embedder, project: str) -> Sequence[Card]:
    """All that has a name which a project may know."""
    cards: list[Card] = [*engine.models(), *embedder.models()]
    return [_seen_by(project, card) for card in cards if is_visible(card.name, project)]


def _seen_by(project: str, card: Card) -> Card:
    """Without the name of a base that another project has given to the same bytes."""
    if isinstance(card, ModelCard) and card.base and not is_visible(card.base, project):
        return replace(card, base=None)
    return card


def router(engine: Engine, embedder: Embedder, memory: Memory | None = None) -> APIRouter:
    """The two routes over what writes and what makes vectors."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models")
    async def list_models(http: Request) -> ModelList | list[BareModel]:
        models = [describe(card, memory) for card in served(engine, embedder, tenant_of(http))]
        if speaks_together(http):
            return [_bare(model) for model in models]
        return ModelList(data=models)

    @routes.get("/v1/models/{name:path}")
    async def retrieve_model(name: str, http: Request) -> Model:
        for card in served(engine, embedder, tenant_of(http)):
            if card.name == name:
                return describe(card, memory)
        raise not_served(name)

    return routes
