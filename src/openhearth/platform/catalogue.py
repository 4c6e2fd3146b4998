"""Together's catalogue: `GET /v2/supported-models`, and the machines that there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request

from openhearth.inference.request import ModelCard
from openhearth.platform.embedding.ports import Embedder, EmbeddingCard
from openhearth.platform.errors import ApiError
from openhearth.platform.models import not_served, served
from openhearth.platform.tenant import tenant_of
from openhearth.platform.wire import MOST_LISTED, Page, Wire, page

if TYPE_CHECKING:
    from openhearth.inference import Engine

Modality = Literal["MODALITY_TEXT", "MODALITY_IMAGE", "MODALITY_AUDIO", "MODALITY_VIDEO"]
Product = Literal["PRODUCT_SERVERLESS", "PRODUCT_DEDICATED", "PRODUCT_FINE_TUNING"]
AdapterMode = Literal["ADAPTER_MODE_FIXED", "ADAPTER_MODE_DYNAMIC", "ADAPTER_MODE_DISABLED"]
WRITES: list[Product] = ["PRODUCT_SERVERLESS", "PRODUCT_DEDICATED", "PRODUCT_FINE_TUNING"]


class SupportedModel(Wire):
    """A model that is served. Prices are those of the price list, not told here."""

    id: str
    name: str
    display_name: str
    display_type: str
    base_model: str
    base_model_id: str
    capabilities: list[Literal["CAPABILITY_CHAT", "CAPABILITY_EMBEDDING", "CAPABILITY_RERANKING"]]
    context_length: str
    created_at: datetime
    updated_at: datetime
    deployment_profiles: list[str]
    input_modalities: list[Modality]
    output_modalities: list[Modality]
    products: list[Product]
    publisher: str = "openhearth"
    status: Literal["SUPPORTED_MODEL_STATUS_SUPPORTED"] = "SUPPORTED_MODEL_STATUS_SUPPORTED"
    tags: list[str]


@dataclass(frozen=True)
class Machine:
    """A machine, or several alike in one place, that models can run on."""

    name: str
    description: str
    region: str
    gpus: int = 0
    gpu: str = "none"
    gpu_memory: int = 0  # GiB of each
    free: int = 1  # of them


class Headroom(Wire):
    """How many are free."""

    relation: Literal["RELATION_EQ"] = "RELATION_EQ"
    value: int


class Region(Wire):
    """A place."""

    name: str
    headroom: Headroom


class InstanceType(Wire):
    """A kind of machine. Nobody pays for one, only for tokens."""

    id: str
    name: str
    description: str
    gpu_count: int
    gpu_memory_gib: int
    gpu_type: str
    price_cents_per_hour: int = 0
    regions: list[Region]


class InstanceTypes(Wire):
    """All of them; there are no pages."""

    object: Literal["list"] = "list"
    data: list[InstanceType]


def this_machine() -> list[Machine]:
    """What a fleet of one is made of."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    description = f"{os.cpu_count()} processors, {memory} GiB of memory"
    return [Machine("this-machine", description, "local")]


def _supported(card: ModelCard | EmbeddingCard) -> SupportedModel:
    writes = isinstance(card, ModelCard)
    base = (card.base if isinstance(card, ModelCard) else None) or card.name
    created = datetime.fromtimestamp(card.created, UTC)
    return SupportedModel(
        id=card.name,
        name=card.name,
        display_name=card.name,
        display_type="chat" if writes else "embedding",
        base_model=base,
        base_model_id=base,
        capabilities=["CAPABILITY_CHAT"]
        if writes
        else ["CAPABILITY_EMBEDDING", "CAPABILITY_RERANKING"],
        context_length=str(card.context_length),
        created_at=created,
        updated_at=created,
        deployment_profiles=[],
        input_modalities=["MODALITY_TEXT"],
        output_modalities=["MODALITY_TEXT"],
        products=WRITES if writes else ["PRODUCT_SERVERLESS"],
        tags=list(card.license),
    )


def _instance(machine: Machine) -> InstanceType:
    return InstanceType(
        id=machine.name,
        name=machine.name,
        description=machine.description,
        gpu_count=machine.gpus,
        gpu_memory_gib=machine.gpu_memory,
        gpu_type=machine.gpu,
        regions=[Region(name=machine.region, headroom=Headroom(value=machine.free))],
    )


def router(
    engine: Engine, embedder: Embedder, machines: Callable[[], Sequence[Machine]]
) -> APIRouter:
    """The routes over what is served, and what it is served by."""
    routes = APIRouter(tags=["catalogue"])

    @routes.get("/v2/supported-models")
    async def list_supported_models(
        http: Request,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
        search: str | None = None,
        modality: Modality | None = None,
        product: Product | None = None,
        adapter_mode: Annotated[AdapterMode | None, Query(alias="adapterMode")] = None,
    ) -> Page[SupportedModel]:
        found = [
            model
            for model in map(_supported, served(engine, embedder, tenant_of(http)))
            if (search or "").lower() in model.name.lower()
            and modality in (None, *model.input_modalities)
            and product in (None, *model.products)
            and adapter_mode in (None, "ADAPTER_MODE_DYNAMIC")
        ]
        return page(found, lambda model: model.id, after, limit)

    @routes.get("/v2/supported-models/{name:path}")
    async def retrieve_supported_model(name: str, http: Request) -> SupportedModel:
        for card in served(engine, embedder, tenant_of(http)):
            if card.name == name:
                return _supported(card)
        raise not_served(name)

    @routes.get("/v2/public/inference-instance-types")
    async def list_instance_types() -> InstanceTypes:
        return InstanceTypes(data=[_instance(machine) for machine in machines()])

    @routes.get("/v2/public/inference-instance-types/{name}")
    async def retrieve_instance_type(name: str) -> InstanceType:
        for machine in machines():
            if machine.name == name:
                return _instance(machine)
        raise ApiError(404, f"There is no machine {name!r} here.", param="id")

    return routes
