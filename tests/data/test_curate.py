"""Curation: the funnel adds up, sources are held out whole, and a killed run goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.data import CurateRecipe, curate, read_split
from openhearth.errors import UsageError
from openhearth.store import Store, lineage

FUNCTION = '''
def function_{n}_{i}(values, start={n}):
    """{answer}"""
    total = start + {i}
    for position, value in enumerate(values):
        total += value * position
    return total
'''
ANSWERS = [
    "Return the weighted total of all the values in file {n} from {i}.",
    "Add up the products of each value and its place, for the case {n} of {i}.",
    "x",
    "DO NOT USE THIS FUNCTION AT ALL {n} {i}.",
]


def write_project(root: Path, files: int = 10, functions: int = 8) -> Path:
    """A small project; its last file repeats the first one."""
    root.mkdir(exist_ok=True)
    for n in range(files):
        body = [
            FUNCTION.format(n=n, i=i, answer=ANSWERS[i % 4].format(n=n, i=i))
            for i in range(functions)
        ]
        (root / f"module_{n}.py").write_text("\n".join(body))
    (root / "zz_copy.py").write_text((root / "module_0.py").read_text())
    (root / "broken.py").write_text("def broken(:")
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def rows(dataset: object, split: str) -> list[dict]:
    return read_split(dataset, split).to_pylist()


def test_the_funnel_adds_up_and_shows_what_went(store: Store, project: Path) -> None:
    dataset = curate(store, CurateRecipe(source=str(project), similarity=None))
    funnel = dataset.read_json("funnel.json")
    kept = dataset.manifest.metrics["documents"]
    for step in funnel:
        assert step["documents"] == kept
        assert step["kept"] == step["documents"] - step["removed"]
        assert len(step["examples"]) == min(2, step["removed"])
        kept = step["kept"]
    by_name = {step["name"].rpartition(".")[2]: step for step in funnel}
    assert by_name["answer-words"]["removed"] == 22  # "x": two of eight functions in 11 files
    assert by_name["answer-words"]["examples"][0]["value"] == 1.0
    assert by_name["exact duplicates"]["removed"] == 4  # what is left of zz_copy.py
    assert kept == len(rows(dataset, "train")) + len(rows(dataset, "heldout"))


def test_sources_are_held_out_whole(store: Store, project: Path) -> None:
    dataset = curate(store, CurateRecipe(source=str(project), similarity=None, heldout=0.3))
    train = {row["source"] for row in rows(dataset, "train")}
    heldout = {row["source"] for row in rows(dataset, "heldout")}
    assert not train & heldout
    assert len(heldout) == 3
    other = curate(store, CurateRecipe(source=str(project), similarity=None, heldout=0.3, seed=1))
    assert {row["source"] for row in rows(other, "heldout")} != heldout


def test_a_rule_can_be_switched_off(store: Store, project: Path) -> None:
    recipe = CurateRecipe(source=str(project), off=("answer-words",), similarity=None)
    funnel = curate(store, recipe).read_json("funnel.json")
    assert not any("answer-words" in step["name"] for step in funnel)
    with pytest.raises(UsageError, match="no rule nonsense"):
        curate(store, CurateRecipe(source=str(project), off=("nonsense",)))


def test_near_duplicates_go(store: Store, project: Path) -> None:
    funnel = curate(store, CurateRecipe(source=str(project), shingle=3)).read_json("funnel.json")
    assert funnel[-1]["name"] == "near duplicates"
    assert funnel[-1]["removed"] > 0  # the functions differ in their numbers only


def test_lines_can_be_rules_too(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('short = { signal = "rps_lines_num_words", on = "line", min = 4 }\n')
    records = []
    for i in range(6):
        turns = [
            {"role": "user", "content": f"A question with enough words, number {i}"},
            {"role": "assistant", "content": f"one\nAn answer with enough words, number {i}"},
        ]
        records.append(json.dumps({"messages": turns, "source": f"s{i}"}))
    corpus = tmp_path / "x.jsonl"
    corpus.write_text("\n".join(records))
    recipe = CurateRecipe(source=str(corpus), rules=(str(path),), similarity=None)
    dataset = curate(store, recipe)
    texts = [row["text"] for row in rows(dataset, "train") + rows(dataset, "heldout")]
    assert len(texts) == 6
    assert all("one" not in text.splitlines() for text in texts)


def test_lineage_leads_back_to_the_text(store: Store, project: Path) -> None:
    dataset = curate(store, CurateRecipe(source=str(project), similarity=None))
    found = lineage(dataset)
    assert found.inputs["corpus"].artifact.kind == "corpus"
    assert found.inputs["signals"].inputs["corpus"].artifact == found.inputs["corpus"].artifact
    quarantine = found.inputs["corpus"].artifact.read_json("quarantine.json")
    assert quarantine["counts"] == {"not Python": 1}


def test_changed_text_is_read_again(store: Store, project: Path) -> None:
    recipe = CurateRecipe(source=str(project), similarity=None)
    before = curate(store, recipe)
    assert curate(store, recipe) == before
    (project / "module_1.py").write_text("")
    assert curate(store, recipe) != before


def test_examples_of_another_format_are_others(store: Store, tmp_path: Path) -> None:
    text = " ".join(f"Sentence {i} is one that says what it says." for i in range(60))
    for n in range(4):
        (tmp_path / f"{n}.jsonl").write_text(json.dumps({"text": f"File {n}. {text}"}))
    recipe = {"source": str(tmp_path / "*.jsonl"), "rules": ["text"], "similarity": None}
    found = [curate(store, CurateRecipe.parse(recipe | {"format": f})) for f in ("text", None)]
    starts = [{row["text"][0] for row in rows(dataset, "train")} for dataset in found]
    assert "{" in starts[0] - starts[1]


def mixture(folder: Path) -> CurateRecipe:
    """Two projects, and lines of which one is broken."""
    write_project(folder / "one")
    write_project(folder / "two", files=6)
    texts = [" ".join(f"Sentence {i} of {n} says what it says." for i in range(60)) for n in "abcd"]
    lines = [json.dumps({"text": text, "source": text[:20]}) for text in texts]
    (folder / "texts.jsonl").write_text("\n".join([*lines, "{"]))
    slices = [{"name": n, "path": str(folder / n)} for n in ("one", "two", "texts.jsonl")]
    return CurateRecipe.parse({"mixture": {"slices": slices}, "similarity": None})


def test_a_mixture_is_found_and_not_mixed_again(store: Store, tmp_path: Path) -> None:
    recipe, stages = mixture(tmp_path), []
    before = curate(store, recipe, progress=lambda stage, *_: stages.append(stage))
    assert "read one" in stages
    corpus = store.load(before.manifest.inputs["corpus"])
    assert corpus.read_json("quarantine.json")["counts"] == {"not JSON": 1, "not Python": 2}
    stages.clear()
    assert curate(store, recipe, progress=lambda stage, *_: stages.append(stage)) == before
    assert stages == []
    (tmp_path / "two" / "module_1.py").write_text("")
    assert curate(store, recipe) != before


class Stopped(Exception):
    pass


@pytest.mark.parametrize("stage", ["measure one", "read texts.jsonl", "read"])
def test_a_mixture_that_was_stopped_goes_on(stage: str, store: Store, tmp_path: Path) -> None:
    recipe = mixture(tmp_path)

    def files() -> dict[str, int]:
        paths = store.root.glob("work/*/source/**/*.parquet")
        return {str(path): path.stat().st_mtime_ns for path in paths}

    def stop(now: str, *_: object) -> None:
        if now == stage:
            raise Stopped

    def look(now: str, *_: object) -> None:
        if now == "read":
            seen.update(files())

    with pytest.raises(Stopped):
        curate(store, recipe, progress=stop)
    left, seen = files(), {}
    assert left
    resumed = curate(store, recipe, progress=look)
    assert left.items() <= seen.items(), "what was there is used"
    assert files() == {}
    assert resumed == curate(Store(tmp_path / "other"), recipe)


def test_too_little_text_says_how_much_is_needed(store: Store, tmp_path: Path) -> None:
    small = write_project(tmp_path / "small", files=1)
    with pytest.raises(UsageError, match="but 4 are needed"):
        curate(store, CurateRecipe(source=str(small)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").write_text("")
    with pytest.raises(UsageError, match="holds no documents"):
        curate(store, CurateRecipe(source=str(tmp_path / "empty")))
    assert [a.kind for a in store.artifacts() if a.kind == "dataset"] == []


def test_wrong_recipes_say_where() -> None:
    with pytest.raises(UsageError, match="wrong at heldout"):
        CurateRecipe.parse({"source": "x", "heldout": 2})
    with pytest.raises(UsageError, match="wrong at filters"):
        CurateRecipe.parse({"source": "x", "filters": []})


PACKAGES = ("click,coverage,fsspec,hypothesis,jinja2", "mypy,numpy,packaging,pydantic,pytest")
SOURCE = {"source": f"python:{','.join(PACKAGES)}"}
MIXTURE = {"mixture": {"slices": [{"name": p[:4], "path": f"python:{p}"} for p in PACKAGES]}}

KILLED = """
import sys
from openhearth.cli import main
from tests.killed import at_marker

at_marker(int(sys.argv.pop(1)))
main()
"""


@pytest.mark.system
@pytest.mark.parametrize(
    ("recipe", "parts"), [(SOURCE, 2), (SOURCE, 14), (SOURCE, 25), (MIXTURE, 3), (MIXTURE, 16)]
)
def test_a_killed_run_goes_on_to_the_same_digest(tmp_path: Path, recipe: dict, parts: int) -> None:
    """kill -9 while it reads ten packages, a part each, computes their signals, or filters them; or
    while it prepares the slices of a mixture.
    """
    home, file = tmp_path / "home", tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe))  # which is YAML too
    arguments = ["--home", str(home), "--json", "--quiet", "data", "run", str(file)]
    command = [sys.executable, "-c", KILLED, str(parts), *arguments]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not any(a.kind == "dataset" for a in Store(home).artifacts())
    command = [sys.executable, "-m", "openhearth.cli", *arguments]
    resumed = subprocess.run(command, capture_output=True, check=True, text=True)
    unbroken = curate(Store(tmp_path / "other"), CurateRecipe.parse(recipe))
    assert json.loads(resumed.stdout)["digest"] == unbroken.digest
