"""`ls`, `show`, `lineage`, `rm` and `gc`, as text and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhearth.store import Artifact, Draft, Store


@pytest.fixture
def family(home: Path) -> tuple[Artifact, Artifact]:
    """A model, and a named adapter made from it."""
    store = Store()

    def base(draft: Draft) -> None:
        draft.path("config.json").write_text("{}")
        draft.license.append("Apache-2.0")
        draft.cost["seconds"] = 2

    def adapter(draft: Draft) -> None:
        draft.path("adapter.json").write_text("[1]")
        draft.metrics["loss"] = 1.5
        draft.creator.append("Ada")

    model = store.make("model", base)
    made = store.make("adapter", adapter, inputs={"base": model.digest}, recipe={"rank": 4})
    store.tag("mine", made.digest)
    return model, made


def test_ls(hearth: Any, family: tuple[Artifact, Artifact]) -> None:
    model, adapter = family
    rows = hearth("--json", "ls").json
    assert [(r["digest"], r["kind"], r["names"], r["size"]) for r in rows] == [
        (model.digest, "model", [], 2),
        (adapter.digest, "adapter", ["mine"], 3),
    ]
    lines = hearth("ls").out.splitlines()
    assert lines[0].split() == ["digest", "kind", "size", "names"]
    assert lines[2].split() == [model.digest[:12], "model", "2", "B", "-"]
    assert lines[3].split() == [adapter.digest[:12], "adapter", "3", "B", "mine"]
    assert [r["kind"] for r in hearth("--json", "ls", "--kind", "model").json] == ["model"]


def test_ls_of_an_empty_store_says_how_to_fill_it(hearth: Any) -> None:
    assert "hearth demo" in hearth("ls").out
    assert hearth("--json", "ls").json == []


def test_show(hearth: Any, family: tuple[Artifact, Artifact]) -> None:
    model, adapter = family
    value = hearth("--json", "show", "mine").json
    assert value["digest"] == adapter.digest
    assert value["recipe"] == {"rank": 4}
    assert value["metrics"] == {"loss": 1.5}
    assert value["inputs"] == {"base": model.digest}
    text = hearth("show", model.digest[:8]).out
    for line in (f"model {model.digest}", "license  Apache-2.0", "cost     seconds: 2"):
        assert line in text
    assert f"input    base: {model.digest[:12]}" in hearth("show", "mine").out


def test_lineage(hearth: Any, family: tuple[Artifact, Artifact]) -> None:
    model, adapter = family
    text = hearth("lineage", "mine").out
    assert f"adapter {adapter.digest[:12]}  mine\n  base: model {model.digest[:12]}" in text
    assert "Licences met: Apache-2.0" in text
    value = hearth("--json", "lineage", "mine").json
    assert value["inputs"]["base"]["license"] == ["Apache-2.0"]


def test_rm_refuses_what_others_need_and_gc_frees_the_rest(
    hearth: Any, family: tuple[Artifact, Artifact]
) -> None:
    model, adapter = family
    refused = hearth("rm", model.digest[:8])
    assert refused.code == 1
    assert "needed by mine: remove those first" in refused.err
    assert hearth("--json", "rm", "mine").json == {"removed": adapter.digest}
    assert hearth("rm", model.digest[:8]).out.startswith(f"Removed model {model.digest[:12]}")
    assert hearth("--json", "gc").json == {"freed": 5}
    assert hearth("gc").out == "Freed 0 B.\n"


def test_gc_keeps_what_a_name_leads_to(hearth: Any, family: tuple[Artifact, Artifact]) -> None:
    assert hearth("--json", "gc", "--unnamed").json == {"freed": 0}
    assert len(hearth("--json", "ls").json) == 2


def test_push_copies_what_a_home_has_to_its_lasting_place(
    hearth: Any,
    family: tuple[Artifact, Artifact],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Give --to URL" in hearth("push").err
    elsewhere = (tmp_path / "elsewhere").as_uri()
    assert hearth("push", "mine", "--to", elsewhere).out == "Sent mine: 5 B.\n"
    there = (tmp_path / "there").as_uri()
    monkeypatch.setenv("OPENHEARTH_STORE", there)
    assert hearth("--json", "ls").json == []
    assert hearth("--json", "push").json == {"sent": {"mine": 5}}
    assert hearth("--json", "push").json == {"sent": {"mine": 0}}
    assert [row["names"] for row in hearth("--json", "ls").json] == [[], ["mine"]]
    monkeypatch.setenv("OPENHEARTH_HOME", str(tmp_path / "other"))
    assert hearth("--json", "show", "mine").json["digest"] == family[1].digest
    assert hearth("--json", "rm", "mine").json == {"removed": family[1].digest}
    assert hearth("--json", "gc", "--there").json == {"freed": 3}


def test_gc_of_a_place_needs_one(hearth: Any) -> None:
    assert "set OPENHEARTH_STORE" in hearth("gc", "--there").err


@pytest.mark.parametrize("command", ["show", "lineage", "rm"])
def test_what_is_not_there_is_3(command: str, hearth: Any) -> None:
    result = hearth(command, "nothing")
    assert result.code == 3
    assert result.err == (
        "hearth: Nothing in the store is called 'nothing': `hearth ls` lists what there is.\n"
    )
