"""Endpoints and deployments by the unmodified Together client, on both databases."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import together
from fastapi.testclient import TestClient

from openhearth.platform import create_app
from openhearth.platform.database import Database
from openhearth.platform.endpoints import Wish
from tests.platform.conftest import ByKey, running


@dataclass
class FakePlacement:
    """Remembers what was wanted; `there` says how many replicas of a model answer."""

    wanted: list[list[Wish]] = field(default_factory=list)
    there: dict[str, int] = field(default_factory=dict)

    def want(self, wishes: Collection[Wish]) -> None:
        self.wanted.append(list(wishes))

    def ready(self, model: str) -> int:
        return self.there.get(model, 0)


@pytest.fixture
def placement() -> FakePlacement:
    return FakePlacement()


@pytest.fixture
def tog(
    engine: Any, keys: Any, database: Database, placement: FakePlacement
) -> Iterator[together.Together]:
    key = keys.create("test")
    app = create_app(engine, ByKey(keys), database, placement=placement)
    with (
        running(app) as url,
        together.Together(
            base_url=url,
            api_key=key,
            project_id="test",
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
    ):
        yield client


def test_an_endpoint_is_made_found_changed_and_deleted(tog: together.Together) -> None:
    made = tog.endpoints.create(name="mine")
    assert (made.name, made.project_id, made.deployments) == ("mine", "test", [])
    assert tog.endpoints.retrieve(made.id) == made
    tog.endpoints.create(name="other")
    assert sorted(one.name for one in tog.endpoints.list(limit=1)) == ["mine", "other"]
    changed = tog.endpoints.update(made.id, name="renamed", etag=made.etag)
    assert (changed.name, changed.visibility) == ("renamed", made.visibility)
    with pytest.raises(together.ConflictError, match="changed meanwhile"):
        tog.endpoints.update(made.id, name="again", etag=made.etag)
    for name in ("other", "renamed"):
        with pytest.raises(together.BadRequestError, match="choose another name"):
            tog.endpoints.create(name=name)
    with pytest.raises(together.BadRequestError, match="choose another name"):
        tog.endpoints.update(made.id, name="other")
    tog.endpoints.delete(made.id)
    with pytest.raises(together.NotFoundError):
        tog.endpoints.retrieve(made.id)


def test_a_deployment_says_what_is_wanted_and_what_there_is(
    tog: together.Together, placement: FakePlacement
) -> None:
    endpoint = tog.endpoints.create(name="mine")
    made = tog.endpoints.deployments.create(
        endpoint.id,
        name="one",
        model="tiny",
        autoscaling={"min_replicas": 2, "max_replicas": 3},
        inactive_timeout=30,
        max_concurrent_requests_per_replica="8",
    )
    assert placement.wanted[-1] == [Wish("tiny", 2, 3, 30)]
    assert (made.model, made.desired_replicas, made.inactive_timeout) == ("tiny", 2, 30)
    states = []
    for there in (0, 1, 2):
        placement.there["tiny"] = there
        found = tog.endpoints.deployments.retrieve(made.id, endpoint_id=endpoint.id)
        states.append(found.status.state.removeprefix("DEPLOYMENT_STATE_"))
        (summary,) = tog.endpoints.retrieve(endpoint.id).deployments
        assert (summary.ready_replicas, summary.state) == (there, found.status.state)
    assert states == ["PROVISIONING", "SCALING", "READY"]
    changed = tog.endpoints.deployments.update(
        made.id, endpoint_id=endpoint.id, autoscaling={"min_replicas": 0, "max_replicas": 1}
    )
    assert (changed.autoscaling.min_replicas, changed.inactive_timeout) == (0, 30)
    assert placement.wanted[-1] == [Wish("tiny", 0, 1, 30)]
    with pytest.raises(together.BadRequestError, match="delete these first"):
        tog.endpoints.delete(endpoint.id)
    tog.endpoints.deployments.delete(made.id, endpoint_id=endpoint.id)
    assert placement.wanted[-1] == []
    assert list(tog.endpoints.deployments.list(endpoint.id)) == []


def test_traffic_is_split_among_deployments(tog: together.Together) -> None:
    endpoint = tog.endpoints.create(name="mine")
    names = ["one", "two"]
    made = [
        tog.endpoints.deployments.create(endpoint.id, name=n, model="tiny", autoscaling={})
        for n in names
    ]
    split: Any = [
        {"deployment_id": made[0].id, "weight": 1},
        {"deployment_id": made[1].id, "weight": 3},
    ]
    changed = tog.endpoints.update(endpoint.id, traffic_split=split, update_mask="trafficSplit")
    shares = {one.name: one.estimated_effective_traffic_share for one in changed.deployments}
    assert shares == {"one": 0.25, "two": 0.75}
    tog.endpoints.deployments.delete(made[0].id, endpoint_id=endpoint.id)
    left = tog.endpoints.retrieve(endpoint.id)
    assert [entry.deployment_id for entry in left.traffic_split] == [made[1].id]
    with pytest.raises(together.NotFoundError):
        tog.endpoints.update(endpoint.id, traffic_split=split)


def test_what_is_only_to_be_checked_is_not_kept(
    tog: together.Together, placement: FakePlacement
) -> None:
    endpoint = tog.endpoints.create(name="mine")
    made = tog.endpoints.deployments.create(
        endpoint.id, name="one", model="tiny", autoscaling={}, validate_only=True
    )
    assert made.name == "one"
    assert list(tog.endpoints.deployments.list(endpoint.id)) == []
    assert placement.wanted[-1] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": None}, 400),
        ({"model": "nobody"}, 404),
        ({"autoscaling": None}, 400),
        ({"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}, 400),
        ({"autoscaling": {"maxReplicas": 65}}, 400),
        ({"inactiveTimeout": -1}, 400),
        ({"name": "no spaces"}, 400),
    ],
)
def test_a_bad_deployment_is_refused(change: dict, status: int, whole: TestClient) -> None:
    root = "/v2/projects/test/endpoints"
    endpoint = whole.post(root, json={"name": "mine"}).json()["id"]
    body = {"name": "one", "model": "tiny", "autoscaling": {}} | change
    response = whole.post(f"{root}/{endpoint}/deployments", json=body)
    assert response.status_code == status, response.text
    assert response.json()["error"]["message"]


def test_other_projects_see_nothing(whole: TestClient, keys: Any) -> None:
    root = "/v2/projects/test/endpoints"
    made = whole.post(root, json={"name": "mine"}).json()["id"]
    whole.headers["authorization"] = f"Bearer {keys.create('other')}"
    theirs = "/v2/projects/other/endpoints"
    for path in (root, f"{root}/{made}", f"{theirs}/{made}", f"{theirs}/%00"):
        assert whole.get(path).status_code == 404
    assert whole.get(theirs).json()["data"] == []
