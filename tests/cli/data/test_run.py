"""`hearth data run`, `card` and `forget`: a dataset of a recipe, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.data.conftest import story, write_lines


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of twenty documents of four sources and two authors; one line is broken."""
    rows = [
        {
            "id": f"d{i}",
            "text": story(i),
            "source": f"site{i % 4}",
            "url": f"https://site{i % 4}.example/{i}",
            "creator": f"author {i % 2}",
            "license": "CC-BY-4.0",
        }
        for i in range(20)
    ]
    rows.append(rows[0] | {"id": "copy"})
    docs = write_lines(tmp_path / "docs.jsonl", rows)
    docs.write_text(docs.read_text() + "{broken\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(f"source: {docs}\nrules: [gopher-quality]\nmask: 3\nname: pages\n")
    return path


def test_all_of_it_and_found_the_second_time(hearth: Any, recipe: Path) -> None:
    made = hearth("data", "run", str(recipe))
    assert made.code == 0, made.err
    assert "dataset pages" in made.out
    assert "1 record set aside" in made.out
    again = hearth("--json", "data", "run", str(recipe))
    assert again.err == "", "nothing is done"
    assert again.json["digest"] == hearth("--json", "show", "pages").json["digest"]
    assert again.json["funnel"][-2]["name"] == "exact duplicates"
    assert again.json["funnel"][-2]["removed"] == 1
    other = hearth("--json", "data", "run", str(recipe), "--name", "mine").json
    assert other["digest"] == again.json["digest"]
    assert hearth("show", "mine").code == 0


def test_tokens_belong_to_it(hearth: Any, recipe: Path) -> None:
    docs = recipe.with_name("docs.jsonl")
    words = ("data", "tokenizer", str(docs), "--vocabulary", "300", "--name", "words")
    assert hearth(*words).code == 0
    recipe.write_text(recipe.read_text() + "tokens: {tokenizer: words, packed: 64}\n")
    made = hearth("data", "run", str(recipe))
    assert "token shards pages-tokens" in made.out
    lineage = hearth("lineage", "pages-tokens").out
    assert "pages" in lineage
    assert "words" in lineage


def test_a_tokenizer_is_looked_for_first(hearth: Any, recipe: Path) -> None:
    recipe.write_text(recipe.read_text() + "tokens: {tokenizer: nothing}\n")
    made = hearth("data", "run", str(recipe))
    assert made.code == 3
    assert hearth("--json", "ls").json == []


def test_the_card_tells_sources_and_terms(hearth: Any, recipe: Path, tmp_path: Path) -> None:
    assert hearth("data", "run", str(recipe)).code == 0
    card = hearth("data", "card", "pages").out
    assert "| CC-BY-4.0 | 20 |" in card
    assert "| site1 | 5 |" in card
    out = tmp_path / "README.md"
    assert f"is in {out}" in hearth("data", "card", "pages", "--out", str(out)).out
    assert out.read_text().strip() == card.strip()


def test_an_author_is_forgotten(hearth: Any, recipe: Path) -> None:
    assert hearth("data", "run", str(recipe)).code == 0
    done = hearth("--json", "data", "forget", "pages", "--creator", "author 1").json
    assert done["documents"] == 10
    assert "author 1" not in hearth("data", "card", "pages").out
    assert "author 0" in hearth("data", "card", "pages").out


def test_what_only_the_corpus_held_is_counted_too(hearth: Any, recipe: Path) -> None:
    assert hearth("data", "run", str(recipe)).code == 0
    assert "1 document forgotten" in hearth("data", "forget", "pages", "--id", "copy").out
    gone = hearth("data", "forget", "pages", "--id", "copy")
    assert gone.code == 3


def test_what_still_holds_it_is_said_to_all(hearth: Any, recipe: Path) -> None:
    assert hearth("data", "run", str(recipe)).code == 0
    docs = recipe.with_name("docs.jsonl")
    words = ("data", "tokenizer", str(docs), "--vocabulary", "300", "--name", "words")
    assert hearth(*words).code == 0
    assert hearth("data", "tokens", "pages", "--tokenizer", "words", "--out", "t").code == 0
    said = hearth("--quiet", "data", "forget", "pages", "--id", "d3").out
    assert "Still there: " in said
    assert "needed by t" in said


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, 3, "no recipe"),
        ("{a: [", 2, "is not YAML"),
        ("- a", 2, "fields with values"),
        ("rules: [c4]", 2, "give a source, or a mixture"),
        ("source: a\nmixture: {slices: [{name: a, path: a}]}", 2, "give a source, or a mixture"),
        ("source: a\nrule: [c4]", 2, "at rule: there is no such field"),
        ("source: a\nheldout: 2", 2, "heldout"),
        ("source: a\nname: No Name", 2, "lower-case"),
        ("source: nowhere\nrules: [c4]", 3, "nowhere"),
        ("source: {docs}\nrules: [nothing]", 3, "nothing"),
        ("source: {docs}\nrules: [c4]\nevaluations: {{a: nowhere}}", 3, "nowhere"),
    ],
)
def test_a_wrong_recipe_is_a_sentence(
    text: str | None, code: int, words: str, hearth: Any, tmp_path: Path
) -> None:
    docs = write_lines(tmp_path / "docs.jsonl", map(story, range(3)))
    path = tmp_path / "recipe.yaml"
    if text is not None:
        path.write_text(text.replace("{docs}", str(docs)).replace("{{", "{").replace("}}", "}"))
    result = hearth("--quiet", "data", "run", str(path))
    assert result.code == code, result.err
    assert words in result.err
    assert "bug" not in result.err
    assert result.err.count("\n") == 1, "it is one sentence"
    assert hearth("--json", "ls", "--kind", "dataset").json == []
