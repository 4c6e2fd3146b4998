"""Whatever is wrong with a request is its own error: who else is on board gets its answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import torch
from safetensors.torch import load_file, save_file

from openhearth.models import pull
from openhearth.store import Store
from tests.conftest import write_adapter
from tests.system.conftest import Server, hearth, serving

pytestmark = pytest.mark.system

NO_END = {"2": -100, "4": -100}  # the tokens that end an answer
PAGE = 2 * 2 * 32 * 2 * 32  # bytes: keys and values, 2 layers, a head of 32 numbers of 16 bits
LONGER = {"type": "string", "minLength": 5, "maxLength": 3}


@pytest.fixture(scope="module")
def server(
    small_directory: Path, tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Memory for 448 tokens of a context of 512; adapters, of which one is good."""
    root = tmp_path_factory.mktemp("bad")
    store = Store(root / "home")
    pull(store, str(small_directory), name="small")
    pull(store, str(tiny_directory), name="tiny")
    names = {"good": "small", "cut": "small", "numbers": "small", "foreign": "tiny"}
    paths = {name: write_adapter(root / name, store, base) for name, base in names.items()}
    cut, numbers = (paths[name] / "adapter_model.safetensors" for name in ("cut", "numbers"))
    cut.write_bytes(cut.read_bytes()[:-10])
    tensors = load_file(numbers)
    next(iter(tensors.values()))[0, 0] = torch.inf
    save_file(tensors, numbers)
    named = [word for n, path in paths.items() for word in ("--adapter", f"{n}={path}")]
    memory = ("--kv-memory", str(14 * PAGE), "--dtype", "bfloat16")
    with serving(store.root, "small", *named, *memory) as running:
        yield running


@pytest.fixture
def oai(server: Server) -> Iterator[openai.OpenAI]:
    url = f"{server.url}/v1"
    with openai.OpenAI(base_url=url, api_key=server.key, max_retries=0) as client:
        yield client


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"prompt": [20] * 600}, "context_length_exceeded"),
        ({"prompt": [20] * 500, "max_tokens": 12}, "context_length_exceeded"),
        ({"prompt": [10**6]}, None),
        ({"prompt": [20], "logit_bias": {"100000": 1}}, None),
        ({"model": "cut"}, "adapter_unusable"),
        ({"model": "numbers"}, "adapter_unusable"),
        ({"model": "foreign"}, "adapter_unusable"),
        (
            {"extra_body": {"response_format": {"type": "json_object", "schema": LONGER}}},
            "invalid_schema",
        ),
    ],
)
def test_a_bad_request_ends_alone(wrong: dict[str, Any], code: str | None, oai: Any) -> None:
    ask: dict[str, Any] = {"model": "small", "prompt": [20, 21], "max_tokens": 4, "temperature": 0}
    good = ask | {"max_tokens": 120, "logit_bias": NO_END}
    alone = oai.completions.create(**good).choices[0].text
    running = oai.completions.create(**good, stream=True)
    pieces = [next(running).choices[0].text]
    for _ in range(2):
        with pytest.raises(openai.BadRequestError) as refused:
            oai.completions.create(**ask | wrong)
        assert refused.value.code == code
    pieces += [chunk.choices[0].text for chunk in running]
    assert "".join(pieces) == alone
    assert oai.completions.create(**ask | {"model": "good"}).usage.completion_tokens > 0


@pytest.mark.parametrize("how", ["cut short", "other shapes", "not numbers"])
def test_bad_weights_are_told_when_they_are_loaded(
    how: str, small_directory: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "model"
    shutil.copytree(small_directory, directory)
    weights = directory / "model.safetensors"
    if how == "cut short":
        weights.write_bytes(weights.read_bytes()[:-10])
    else:
        tensors = load_file(weights)
        name = "model.layers.1.mlp.down_proj.weight"
        if how == "not numbers":
            tensors[name][3, 3] = torch.nan
        else:
            tensors[name] = tensors[name][:, 1:].contiguous()
        save_file(tensors, weights)
    done = hearth(tmp_path / "home", "run", str(directory), "Hello")
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("hearth: The weight")
    assert "bug" not in sentence
    assert Store(tmp_path / "home").artifacts() == []


def test_memory_that_is_too_small_for_a_page_is_told(small_directory: Path, tmp_path: Path) -> None:
    arguments = ("run", str(small_directory), "Hello", "--kv-memory", "1kB")
    done = hearth(tmp_path / "home", *arguments)
    assert done.returncode == 2
    assert "give it more" in done.stderr
