"""Files of a new database, with contents in a folder of their own, over HTTP and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from openhearth.platform import Keys
from openhearth.platform.apart import Apart
from openhearth.platform.database import Database
from openhearth.platform.files import Files, router
from tests.platform.area import Served, application, serving

MOST = 200_000
EXAMPLE = json.dumps({"prompt": "one", "completion": " two"}).encode() + b"\n"


@pytest.fixture
def contents(tmp_path: Path) -> Path:
    return tmp_path / "contents"


@pytest.fixture
def files(database: Database, contents: Path) -> Files:
    return Files(database, contents.as_uri(), most_bytes=MOST)


@pytest.fixture
def app(files: Files, keys: Keys) -> Any:
    return application(keys, router(files, Apart()))


@pytest.fixture
def http(app: Any, keys: Keys) -> Iterator[TestClient]:
    headers = {"authorization": f"Bearer {keys.create('proj_a')}"}
    with TestClient(
        app, headers=headers, raise_server_exceptions=False, follow_redirects=False
    ) as client:
        yield client


@pytest.fixture
def server(app: Any, keys: Keys) -> Iterator[Served]:
    with serving(app, keys.create("proj_a")) as served:
        yield served
