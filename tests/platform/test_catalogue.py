"""What is served, in the shapes that the clients of either API read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
import together
from fastapi.testclient import TestClient

from openhearth.platform import create_app
from openhearth.platform.catalogue import Machine


@pytest.fixture
def tog(platform: Any) -> Iterator[together.Together]:
    with together.Together(
        base_url=platform.url, api_key=platform.key, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def test_openai_lists_all_that_has_a_name(platform: Any) -> None:
    with openai.OpenAI(base_url=f"{platform.url}/v1", api_key=platform.key) as client:
        assert [m.id for m in client.models.list()] == ["tiny", "me/tiny:2", "vectors"]
        assert client.models.retrieve("vectors").model_extra["type"] == "embedding"


def test_old_clients_of_together_read_a_bare_list(whole: TestClient) -> None:
    bare = whole.get("/v1/models", headers={"user-agent": "Together/Python 1.5"}).json()
    assert [(m["id"], m["type"]) for m in bare] == [
        ("tiny", "chat"),
        ("me/tiny:2", "chat"),
        ("vectors", "embedding"),
    ]
    assert bare[0]["license"] == "Apache-2.0"


def test_together_lists_supported_models_page_by_page(tog: together.Together) -> None:
    found = list(tog.models.list_supported(limit=1))
    assert [model.id for model in found] == ["tiny", "me/tiny:2", "vectors"]
    assert [model.base_model_id for model in found] == ["tiny", "tiny", "vectors"]
    assert found[0].context_length == "2000"
    assert [m.id for m in tog.models.list_supported(search="ME/")] == ["me/tiny:2"]
    assert list(tog.models.list_supported(modality="MODALITY_AUDIO")) == []
    tuned = tog.models.list_supported(product="PRODUCT_FINE_TUNING")
    assert [model.id for model in tuned] == ["tiny", "me/tiny:2"]
    assert tog.models.retrieve_supported("me/tiny:2").display_type == "chat"
    with pytest.raises(together.NotFoundError):
        tog.models.retrieve_supported("nobody")
    with pytest.raises(together.BadRequestError, match="nobody"):
        tog.models.list_supported(after="nobody")


def test_hardware_is_the_machines_that_there_are(tog: together.Together) -> None:
    (mine,) = tog.endpoints.hardware.list().data
    assert (mine.id, mine.price_cents_per_hour) == ("this-machine", 0)
    assert tog.endpoints.hardware.retrieve("this-machine") == mine
    with pytest.raises(together.NotFoundError):
        tog.endpoints.hardware.retrieve("nothing")


def test_a_fleet_says_what_machines_it_has(engine: Any, keys: Any) -> None:
    machine = Machine("h100", "eight of them", "zurich", gpus=8, gpu="H100", gpu_memory=80, free=3)
    app = create_app(engine, keys, machines=lambda: [machine])
    key = {"authorization": f"Bearer {keys.create('test')}"}
    with TestClient(app, headers=key) as client:
        (told,) = client.get("/v2/public/inference-instance-types").json()["data"]
    assert (told["gpuCount"], told["gpuMemoryGib"], told["gpuType"]) == (8, 80, "H100")
    assert told["regions"][0]["headroom"] == {"relation": "RELATION_EQ", "value": 3}
