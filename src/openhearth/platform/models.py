"""`GET /v1/models` and `GET /v1/models/{model}`: what this server can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from openhearth.errors import NotFound
from openhearth.inference.request import ModelCard

if TYPE_CHECKING:
    from openhearth.inference import Engine


class Model(BaseModel):
    """A model or adapter; beyond OpenAI's fields, what it is made of. An adapter from a directory
    has no digest.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "openhearth"
    context_length: int
    digest: str | None
    base: str | None
    license: list[str]


class ModelList(BaseModel):
    """All of them; the route has no pages."""

    object: Literal["list"] = "list"
    data: list[Model]


def describe(card: ModelCard) -> Model:
    """A card in the API's words."""
    return Model(
        id=card.name,
        created=card.created,
        context_length=card.context_length,
        digest=card.digest or None,
        base=card.base,
        license=list(card.license),
    )


def router(engine: Engine) -> APIRouter:
    """The two routes over this engine."""
    routes = APIRouter()

    @routes.get("/v1/models")
    async def list_models() -> ModelList:
        return ModelList(data=[describe(card) for card in engine.models()])

    @routes.get("/v1/models/{name:path}")
    async def retrieve_model(name: str) -> Model:
        for card in engine.models():
            if card.name == name:
                return describe(card)
        raise NotFound(f"The model {name!r} is not served here: GET /v1/models lists what is.")

    return routes
