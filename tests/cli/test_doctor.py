"""`hearth doctor`: what is there, what is missing, and the remedy."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from openhearth.cli import doctor


def checks(hearth: Any) -> dict[str, dict[str, Any]]:
    result = hearth("--json", "doctor")
    assert result.code == 0
    return {check["what"]: check for check in result.json}


def test_it_names_the_machine_the_store_and_what_is_missing(hearth: Any, home: Path) -> None:
    found = checks(hearth)
    assert found["store"]["found"] == str(home)
    assert found["models"]["ok"] is False
    assert found["models"]["remedy"] == "hearth pull smollm2-135m"
    assert int(found["cores"]["found"]) >= 1
    assert all(not check["remedy"] for check in found.values() if check["ok"])
    assert "hearth pull smollm2-135m" in hearth("doctor").out


def test_it_names_the_place_where_artifacts_last(
    hearth: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks(hearth)["artifacts"]["found"] == "in the store"
    monkeypatch.setenv("OPENHEARTH_STORE", (tmp_path / "there").as_uri())
    found = checks(hearth)["artifacts"]
    assert (found["ok"], found["found"]) == (True, (tmp_path / "there").as_uri())
    monkeypatch.setenv("OPENHEARTH_STORE", "ftp://me:secret@127.0.0.1:1/store")
    found = checks(hearth)["artifacts"]
    assert (found["ok"], found["found"]) == (False, "ftp://127.0.0.1:1/store")
    assert "check the address" in found["remedy"]


def test_a_missing_extra_has_its_install_line(hearth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "fastapi" else find(name)
    )
    found = checks(hearth)["the API server"]
    assert found["found"] == "fastapi missing"
    assert found["remedy"] == "pip install 'openhearth[serve]'"


def test_a_full_disk_is_noticed(hearth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10, 9, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert checks(hearth)["disk free"] == {
        "what": "disk free",
        "found": "1 B",
        "ok": False,
        "remedy": "2 GB or more; `hearth gc` helps",
    }


def test_a_port_in_use_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        assert doctor._port(number)["ok"] is False
    assert doctor._port(number)["ok"] is True
