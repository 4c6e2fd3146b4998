"""The demo with the real model: it ends by itself, the model is better, the account is whole."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from openhearth.data import read_split
from openhearth.store import Artifact, Store, lineage
from tests.system.conftest import Demo, hearth, run_demo

pytestmark = pytest.mark.system
README = Path(__file__).parents[2] / "README.md"


def of_kind(demo: Demo, kind: str, role: str) -> Artifact:
    """The artifact that played a role in making the tuned model."""
    adapter = Store(demo.home).get("docstring-assistant")
    for node in lineage(adapter).walk():
        if node.artifact.kind == kind and role in node.inputs:
            return node.artifact
    raise AssertionError(f"There is no {kind} made from a {role} behind the adapter.")


def test_the_tuned_model_is_better_on_packages_it_never_saw(demo: Demo) -> None:
    summary = demo.summary
    low, high = summary["tuned_bpb_ci"]
    assert low <= summary["tuned_bpb"] <= high
    assert high < summary["base_bpb"]
    dataset = of_kind(demo, "dataset", "corpus")
    trained = set(read_split(dataset, "train")["source"].to_pylist())
    heldout = set(read_split(dataset, "heldout")["source"].to_pylist())
    assert not trained & heldout
    assert 10 <= summary["heldout_packages"] <= len(heldout)
    assert {p["source"] for p in summary["lineage"]["sources"]} == trained


def test_the_summary_has_the_fixed_names_and_measured_numbers(demo: Demo) -> None:
    summary = demo.summary
    assert set(summary) == {
        "base_bpb",
        "tuned_bpb",
        "tuned_bpb_ci",
        "heldout_packages",
        "train_tokens_per_s",
        "ttft_ms",
        "tokens_per_s",
        "lineage",
    }
    assert set(summary["tokens_per_s"]) == {"1", "4", "16"}
    speeds = [*summary["tokens_per_s"].values(), summary["ttft_ms"], summary["train_tokens_per_s"]]
    assert all(speed > 0 for speed in speeds)
    assert 0.5 < summary["tuned_bpb"] < summary["base_bpb"] < 3


def test_every_trained_package_is_an_installed_one_with_its_licence(demo: Demo) -> None:
    installed = {re.sub(r"[-_.]+", "-", d.name).lower() for d in distributions()}
    sources = demo.summary["lineage"]["sources"]
    assert {source["source"] for source in sources} <= installed
    assert sum(bool(source["license"]) for source in sources) > 0.9 * len(sources)
    assert sum(bool(source["creator"]) for source in sources) > 0.6 * len(sources)


def test_the_lineage_leads_from_the_model_to_packages_and_licences(demo: Demo) -> None:
    told = json.loads(hearth(demo.home, "--json", "lineage", "docstring-assistant").stdout)
    summary = demo.summary["lineage"]
    assert summary.pop("sources")
    assert told == summary
    kinds: dict[str, dict[str, Any]] = {}

    def walk(node: dict[str, Any]) -> None:
        kinds[node["kind"]] = node
        for parent in node["inputs"].values():
            walk(parent)

    walk(told)
    assert set(kinds) == {"adapter", "model", "dataset", "corpus", "signals"}
    assert kinds["model"]["license"] == ["apache-2.0"]
    assert any("MIT" in name for name in kinds["corpus"]["license"])


def test_the_page_at_its_end_says_what_it_cost_and_how_to_go_on(demo: Demo) -> None:
    for words in ("better on", "held-out packages", "hearth up", "hearth chat docstring-assistant"):
        assert words in demo.said
    page = (demo.report / "index.html").read_text()
    assert page.count("<svg") == 3
    assert f"{demo.summary['tuned_bpb']:.3f}" in page
    assert sorted(p.name for p in demo.report.iterdir()) == ["index.html", "summary.json"]


def test_the_tuned_model_answers_afterwards(demo: Demo) -> None:
    ask = ("run", "docstring-assistant", "def add(a, b):\n    return a + b", "--temperature", "0")
    told = hearth(demo.home, *ask, "--max-tokens", "24")
    assert told.returncode == 0, told.stderr
    assert re.search(r"[A-Z][a-z]+ .*\w", told.stdout)


def test_a_folder_of_ones_own_takes_the_same_way(demo: Demo, tmp_path: Path) -> None:
    """A repository with thousands of functions: networkx, which comes with torch."""
    spec = importlib.util.find_spec("networkx")
    assert spec
    assert spec.submodule_search_locations
    folder = spec.submodule_search_locations[0]
    own = run_demo(demo.home, tmp_path / "report", "--data", folder)
    assert own.summary["base_bpb"] > own.summary["tuned_bpb_ci"][1]
    assert "hearth chat my-assistant" in own.said
    names = Store(demo.home).refs.all()
    assert {"docstring-assistant", "my-assistant", "smollm2-135m"} <= names.keys()


def test_the_example_in_the_readme_runs_on_what_the_demo_left(demo: Demo) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env=os.environ | {"OPENHEARTH_HOME": str(demo.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, metrics, *answer = done.stdout.splitlines()
    assert int(count.removesuffix(" documents")) > 20  # modules of three packages
    assert "heldout" in metrics
    assert re.search(r"\w+ \w+", " ".join(answer))
