"""Adapters on demand: read when asked for, the idle ones leave, errors are their askers'."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from openhearth.errors import NotFound, UsageError
from openhearth.inference import BadAdapter, Engine, EngineBusy, Request, Sampling
from openhearth.inference.adapters import Adapters
from openhearth.inference.native import _engine
from openhearth.models import export_directory, import_adapter, pull
from openhearth.store import Store
from tests.conftest import write_adapter

NO_END = {2: -100, 4: -100}  # the tokens that end an answer
PROMPT = list(range(20, 50))
EXECUTORS = ["torch", *(["native"] if _engine else [])]
WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture(scope="module")
def store(
    small_directory: Path, tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    store = Store(tmp_path_factory.mktemp("home"))
    pull(store, str(small_directory), name="small")
    pull(store, str(tiny_directory), name="tiny")
    return store


@pytest.fixture(scope="module")
def directories(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six adapters, a to f."""
    root = tmp_path_factory.mktemp("adapters")
    return {name: write_adapter(root / name, store, "small", ord(name)) for name in "abcdef"}


@pytest.fixture(params=EXECUTORS)
def opened(request: pytest.FixtureRequest, store: Store) -> Iterator[Callable[..., Engine]]:
    """Opens engines with one executor and fp32 weights, and closes them."""
    engines: list[Engine] = []

    def call(adapters: dict[str, str | Path], **settings: object) -> Engine:
        chosen = {"executor": request.param, "dtype": "float32", "kv_memory": 2**20} | settings
        engines.append(Engine("small", adapters=adapters, store=store, **chosen))
        return engines[-1]

    yield call
    for engine in engines:
        engine.close()


def answer(engine: Engine, name: str) -> list[int]:
    return engine.generate(
        PROMPT, model=name, max_tokens=8, temperature=0, logit_bias=NO_END
    ).tokens


def here(engine: Engine) -> list[str]:
    """The adapters in memory."""
    return [
        card.name for card in engine.models() if card.base and engine._served[card.name].is_here
    ]


def size_of(engine: Engine) -> int:
    """Bytes of one adapter."""
    answer(engine, "a")
    return residents(engine)._here["a"].bytes


def residents(engine: Engine) -> Adapters:
    return engine._served["small"].lane.adapters


def test_nothing_is_read_before_it_is_asked_for(
    opened: Callable[..., Engine], directories: dict[str, Path]
) -> None:
    engine = opened(directories)
    assert [card.name for card in engine.models()] == ["small", *"abcdef"]
    assert here(engine) == []
    base = answer(engine, "small")
    assert here(engine) == []
    assert len({tuple(base), *(tuple(answer(engine, name)) for name in "ab")}) == 3
    assert here(engine) == ["a", "b"]


def test_the_least_recently_used_leaves_and_comes_back_the_same(
    opened: Callable[..., Engine], directories: dict[str, Path]
) -> None:
    expected = {name: answer(opened({name: directories[name]}), name) for name in directories}
    size = size_of(opened(directories))
    engine = opened(directories, adapter_memory=3 * size)
    for name in "abc" + "a" + "d":
        assert answer(engine, name) == expected[name]
    assert sorted(here(engine)) == ["a", "c", "d"]
    for name in "bedacf" * 2:
        assert answer(engine, name) == expected[name]
        assert len(here(engine)) <= 3


def test_one_in_use_stays_and_keeps_its_answer(
    opened: Callable[..., Engine], directories: dict[str, Path]
) -> None:
    engine = opened(directories, adapter_memory=size_of(opened(directories)))
    sampling = Sampling(max_tokens=300, logit_bias=NO_END)
    running = engine.submit(Request("a", PROMPT, sampling))
    next(running)
    with pytest.raises(EngineBusy, match="ask again later"):
        answer(engine, "b")
    running.cancel()
    assert list(running)[-1].finish_reason == "cancelled"
    assert answer(engine, "b")
    assert here(engine) == ["b"]
    assert not any(residents(engine)._users.values())


def likely(engine: Engine, name: str) -> tuple[list[float], int]:
    """The log-probabilities of an answer to a prompt of several pages, and how much was cached."""
    said = engine.generate(
        [*PROMPT, *PROMPT, *PROMPT], model=name, max_tokens=4, temperature=0, logprobs=0
    )
    assert said.usage is not None
    return [one.logprob for one in said.logprobs], said.usage.cached_tokens


def test_one_that_was_rewritten_is_read_anew_and_meets_no_keys_of_the_old(
    opened: Callable[..., Engine], directories: dict[str, Path], store: Store, tmp_path: Path
) -> None:
    changing = {"a": write_adapter(tmp_path / "a", store, "small", seed=1), "b": directories["b"]}
    engine = opened(changing, adapter_memory=size_of(opened(directories)))
    first, _ = likely(engine, "a")
    assert likely(engine, "b")
    assert likely(engine, "a") == (first, 64)  # what came back as it was finds its own
    write_adapter(tmp_path / "a", store, "small", seed=2)
    assert likely(engine, "a") == (first, 64)  # it is still in memory
    assert likely(engine, "b")
    second, cached = likely(engine, "a")
    assert cached == 0
    assert second == likely(opened(changing), "a")[0] != first


def test_names_of_one_adapter_share_its_keys(
    opened: Callable[..., Engine], directories: dict[str, Path]
) -> None:
    engine = opened({"one": directories["a"], "two": directories["a"], "b": directories["b"]})
    said, cached = likely(engine, "one")
    assert cached == 0
    assert likely(engine, "two") == (said, 64)
    assert likely(engine, "b")[1] == likely(engine, "small")[1] == 0


def test_a_dora_is_served_beside_others_where_there_are_no_kernels(
    store: Store, directories: dict[str, Path], tmp_path: Path
) -> None:
    """As the model says it into which it was merged."""
    directory = write_adapter(tmp_path / "dora", store, "small", dora=True)
    store.tag("dora", import_adapter(store.get("small"), directory).digest)
    export_directory(store.get("dora"), tmp_path / "merged")
    settings = {"executor": "torch", "dtype": "float32", "kv_memory": 2**20, "store": store}
    adapters: dict[str, str | Path] = {"dora": directory, "a": directories["a"]}
    with Engine("small", adapters=adapters, **settings) as engine:
        names = ["dora", "a", "small", "dora"]
        with ThreadPoolExecutor(len(names)) as pool:
            found = list(pool.map(lambda name: answer(engine, name), names))
    with Engine(str(tmp_path / "merged"), **settings) as engine:
        expected = answer(engine, engine.models()[0].name)
    assert found[0] == found[3] == expected
    assert len(set(map(tuple, found))) == 3


@pytest.mark.skipif(_engine is None, reason="without kernels")
def test_a_dora_is_refused_by_kernels(store: Store, tmp_path: Path) -> None:
    directory = write_adapter(tmp_path / "dora", store, "small", dora=True)
    with (
        Engine("small", adapters={"dora": directory}, executor="native", store=store) as engine,
        pytest.raises(BadAdapter, match="dora is a DoRA adapter"),
    ):
        answer(engine, "dora")


def test_one_larger_than_the_memory_can_never_be_used(
    opened: Callable[..., Engine], directories: dict[str, Path]
) -> None:
    engine = opened(directories, adapter_memory=100)
    with pytest.raises(BadAdapter, match="adapter_memory"):
        answer(engine, "a")


def test_many_who_ask_at_once_share_one_reading(
    opened: Callable[..., Engine], directories: dict[str, Path]
) -> None:
    engine = opened(directories)
    names = ["small", *"abcdef"] * 4
    with ThreadPoolExecutor(len(names)) as pool:
        together = list(pool.map(lambda name: answer(engine, name), names))
    assert together == [answer(engine, name) for name in names]
    assert not any(residents(engine)._users.values())


@pytest.fixture(scope="module")
def hundreds(
    directories: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The first of the six, and as many with other numbers as make two hundred."""
    root, like = tmp_path_factory.mktemp("hundreds"), load_file(directories["a"] / WEIGHTS)
    made = {"a": directories["a"]}
    for seed in range(1, 200):
        generator = torch.Generator().manual_seed(seed)
        made[str(seed)] = path = root / str(seed)
        path.mkdir()
        shutil.copy(directories["a"] / SETTINGS, path)
        random = {n: torch.randn(t.shape, generator=generator) * 0.3 for n, t in like.items()}
        save_file(random, path / WEIGHTS)
    return made


def together(engine: Engine, names: list[str]) -> dict[str, tuple[int, ...]]:
    """What each says when all are asked at once."""
    sampling = Sampling(max_tokens=4, temperature=0, logit_bias=NO_END)
    streams = [engine.submit(Request(name, PROMPT, sampling)) for name in names]
    answers = [tuple(t for delta in stream for t in delta.tokens) for stream in streams]
    return dict(zip(names, answers, strict=True))


def test_hundreds_take_turns_in_the_memory_of_four(store: Store, hundreds: dict[str, Path]) -> None:
    settings = {"adapters": hundreds, "store": store, "dtype": "float32", "kv_memory": 2**20}
    with Engine("small", **settings) as engine:
        expected, size = together(engine, list(hundreds)), size_of(engine)
        assert len(here(engine)) == 200
    assert len(set(expected.values())) > 150
    names = np.random.default_rng(0).permutation([*hundreds] * 2).tolist()
    with Engine("small", adapter_memory=4 * size, **settings) as engine:
        for four in zip(*[iter(names)] * 4, strict=True):
            assert together(engine, four) == {name: expected[name] for name in four}
            assert len(here(engine)) <= 4
        assert not any(residents(engine)._users.values())


def damaged(directory: Path, store: Store, how: str) -> Path:
    """An adapter with which something is wrong."""
    write_adapter(directory, store, "tiny" if how == "another base" else "small")
    weights, settings = directory / WEIGHTS, directory / SETTINGS
    if how == "cut short":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "not numbers":
        tensors = load_file(weights)
        next(iter(tensors.values()))[0, 0] = torch.nan
        save_file(tensors, weights)
    elif how == "another kind":
        settings.write_text(json.dumps(json.loads(settings.read_text()) | {"peft_type": "IA3"}))
    elif how == "no rank":
        settings.write_text(json.dumps({"peft_type": "LORA", "r": 0, "lora_alpha": 1}))
    elif how == "no JSON":
        settings.write_text("{")
    return directory


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("another base", "another size"),
        ("cut short", "cut short"),
        ("not numbers", "no finite number"),
        ("another kind", "plain LoRA"),
        ("no rank", "lora_alpha"),
        ("no JSON", SETTINGS),
    ],
)
def test_what_is_wrong_with_an_adapter_is_an_error_of_its_request(
    opened: Callable[..., Engine],
    directories: dict[str, Path],
    store: Store,
    tmp_path: Path,
    how: str,
    says: str,
) -> None:
    engine = opened(directories | {"bad": damaged(tmp_path / "bad", store, how)})
    sampling = Sampling(max_tokens=100, temperature=0, logit_bias=NO_END)
    running = engine.submit(Request("a", PROMPT, sampling))
    for _ in range(2):
        with pytest.raises(BadAdapter, match=says):
            engine.submit(Request("bad", PROMPT, sampling))
        with pytest.raises(BadAdapter, match=says):
            engine.logits(PROMPT, model="bad")
    assert len([token for delta in running for token in delta.tokens]) == 100
    assert here(engine) == ["a"]


def test_an_adapter_of_the_store_is_checked_for_its_base(
    opened: Callable[..., Engine], store: Store, tiny_model_home: Path, tmp_path: Path
) -> None:
    from openhearth.models import import_adapter

    foreign = import_adapter(store.get("tiny"), write_adapter(tmp_path / "x", store, "tiny"))
    store.tag("foreign", foreign.digest)
    engine = opened({"mine": "foreign"})
    with pytest.raises(BadAdapter, match="was tuned on tiny, not on small"):
        answer(engine, "mine")
    assert answer(engine, "small")


def test_a_directory_that_is_not_there_is_told_at_once(
    opened: Callable[..., Engine], tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match=SETTINGS):
        opened({"mine": tmp_path / "nothing"})
    with pytest.raises(NotFound, match="nobody"):
        opened({"mine": "nobody"})


@pytest.mark.skipif(_engine is None, reason="needs the native executor")
def test_native_and_torch_agree(store: Store, directories: dict[str, Path]) -> None:
    settings = {"adapters": directories, "dtype": "float32", "kv_memory": 2**20}
    logits = []
    for kind in ("torch", "native"):
        with Engine("small", store=store, executor=kind, **settings) as engine:
            logits.append([engine.logits(PROMPT, model=name) for name in ("small", *"abc")])
    for theirs, ours in zip(*logits, strict=True):  # the native one keeps B in 16 bits
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.1)


def test_one_can_be_added_while_others_answer(
    opened: Callable[..., Engine], store: Store, directories: dict[str, Path]
) -> None:
    engine = opened({"a": directories["a"]})
    store.tag("late", import_adapter(store.get("small"), directories["b"]).digest)
    running = engine.stream(PROMPT, model="a", max_tokens=200, logit_bias=NO_END)
    next(running)
    engine.add_adapter("late")
    assert answer(engine, "late") == answer(opened({"b": directories["b"]}), "b")
    assert [card.base for card in engine.models()] == [None, "small", "small"]
    assert len(list(running)) == 199
    store.refs.drop("late")


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_what_is_no_adapter_of_its_models_cannot_be_added(
    opened: Callable[..., Engine], name: str
) -> None:
    engine = opened({})
    with pytest.raises(UsageError, match="open one with its base"):
        engine.add_adapter(name)
    with pytest.raises(NotFound):
        engine.add_adapter("missing")
