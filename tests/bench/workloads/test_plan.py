from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.draws import stream
from openhearth.bench.recipe import Gate, Recipe
from openhearth.bench.records import Ask
from openhearth.bench.workloads import LENGTHS, asks, four_bytes
from openhearth.bench.workloads.agent import split
from openhearth.bench.workloads.plan import shares

WRITTEN = [name for name in LENGTHS if name != "embeddings"]
NONCE = r"(?:\w+) [A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4}, \d+ \w+ \d{4}\."
ALL = {name: 1.0 for name in LENGTHS if name != "batch"}


def recipe(workloads: dict[str, float], **more: Any) -> Recipe:
    return Recipe.model_validate({"name": "t", "workloads": workloads} | more)


def plan(workloads: dict[str, float], count: int, seed: int = 7, **more: Any) -> list[Ask]:
    if "batch" in workloads:
        more["load"] = {"arrivals": "all_at_once"}
    canaries = more.pop("canaries", ())
    times = [number / 4 for number in range(count)]
    return asks(recipe(workloads, **more), seed, times, four_bytes, canaries=canaries)


def texts(ask: Ask) -> list[str]:
    """What a request brings, the definitions of tools included."""
    if ask.route == "embeddings":
        return list(ask.body["input"])
    said = [message["content"] for message in ask.body["messages"]]
    return [*said, json.dumps(ask.body["tools"])] if "tools" in ask.body else said


def tokens(ask: Ask) -> Iterator[int]:
    """The lengths of its prompts."""
    sizes = [four_bytes(text) for text in texts(ask)]
    yield from sizes if ask.route == "embeddings" else [sum(sizes)]


def answer(ask: Ask) -> float:
    """How long its answer is to be."""
    right = ask.check.get("json")
    return four_bytes(json.dumps(right)) if right else ask.body["max_tokens"] / 2


@pytest.mark.parametrize("tier", ["small", "full"])
@pytest.mark.parametrize("name", LENGTHS)
def test_prompts_and_answers_are_as_long_as_the_protocol_says(name: str, tier: str) -> None:
    part, count, near = (4, 500, 0.05) if tier == "small" else (1, 100, 0.15)
    requests = {"agent": 6 * count, "embeddings": count // 8}.get(name, count)
    made = plan({name: 1}, requests, tier=tier)
    lengths = LENGTHS[name]
    prompts = [size for ask in made if ask.after is None for size in tokens(ask)]
    assert median(prompts) == pytest.approx(lengths.prompt.median / part, rel=near)
    if lengths.answer:
        answers = [answer(ask) for ask in made]
        near = max(near, 0.1) if name == "structured" else near  # as people are whole
        assert median(answers) == pytest.approx(lengths.answer.median / part, rel=near)


@pytest.mark.parametrize("name", LENGTHS)
def test_each_prompt_begins_with_its_own_nonce(name: str) -> None:
    firsts = []
    for ask in plan({name: 1}, 60):
        if ask.route == "embeddings":
            firsts += ask.body["input"]
        elif name == "agent":
            firsts += [m["content"] for m in ask.body["messages"] if ask.after is None][1:]
        else:
            firsts.append(ask.body["messages"][0]["content"].removeprefix('"""'))
    nonces = [re.match(NONCE, first) for first in firsts]
    assert all(nonces)
    assert len({found[0] for found in nonces if found}) == len(firsts)


def test_shares_are_kept_to_the_last_request() -> None:
    made = plan({"chat": 2, "code": 1, "agent": 3, "embeddings": 0.5}, 131)
    assert [ask.number for ask in made] == list(range(131))
    # 131 * (2, 1, 3, 0.5) / 6.5 = 40.31, 20.15, 60.46, 10.08: the one left over is agent's.
    counts = Counter(ask.workload for ask in made)
    assert counts == {"chat": 40, "code": 20, "agent": 61, "embeddings": 10}


@given(weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=8), count=st.integers(0, 5000))
def test_whole_shares_sum_up_and_are_near(weights: list[float], count: int) -> None:
    found = shares(dict(enumerate(weights)), count)
    assert sum(found.values()) == count
    for number, weight in enumerate(weights):
        assert abs(found[number] - count * weight / sum(weights)) < 1


@given(requests=st.integers(0, 500), seed=st.integers())
def test_sessions_have_four_to_eight_turns(requests: int, seed: int) -> None:
    turns = split(stream(seed), requests)
    assert sum(turns) == requests
    assert all(4 <= number <= 8 for number in turns) or requests < 4


def test_half_is_greedy_and_what_else_rule_10_says() -> None:
    made = plan(ALL, 400)
    written = [ask for ask in made if ask.route != "embeddings"]
    bodies = [ask.body for ask in written]
    warm = [body for body in bodies if body["temperature"] == 0.7]
    assert len(warm) == len(bodies) / 2 or abs(len(warm) - len(bodies) / 2) == 0.5
    assert all(body["top_p"] == 0.95 for body in warm)
    assert all("top_p" not in b and "seed" not in b for b in bodies if b["temperature"] == 0)
    assert sum("seed" in body for body in warm) == round(len(warm) / 2)
    assert sum(body.get("logprobs", False) for body in bodies) == round(0.05 * len(bodies))
    followed = {ask.after for ask in made}
    given_up = [ask for ask in made if ask.hang_up is not None]
    assert len(given_up) == round(0.05 * len(bodies))
    assert all(ask.number not in followed for ask in given_up)
    assert all(1 <= (ask.hang_up or 0) <= ask.body["max_tokens"] / 2 for ask in given_up)


def test_no_field_is_sent_that_openai_does_not_have() -> None:
    known = {"messages", "max_tokens", "temperature", "top_p", "seed", "logprobs", "top_logprobs"}
    sent = {field for ask in plan(ALL, 200) for field in ask.body}
    assert sent == known | {"response_format", "tools", "input"}


def test_turns_follow_one_another_and_bring_new_messages_only() -> None:
    made = plan({"agent": 1}, 60)
    beginnings = set()
    for ask in made:
        roles = [message["role"] for message in ask.body["messages"]]
        if ask.after is None:
            assert roles == ["system", "user"]
            beginnings.add(json.dumps([ask.body["tools"], ask.body["messages"][0]]))
            assert ask.at in [number / 4 for number in range(60)]
        else:
            assert roles == ["user"]
            assert ask.after == ask.number - 1
            assert ask.body["messages"][0]["content"].startswith("Result of ")
    assert len(beginnings) == 1  # the shared part
    tools, system = json.loads(beginnings.pop())
    shared = four_bytes(json.dumps(tools) + system["content"])
    assert shared == pytest.approx(768 / 4, abs=16)


def test_structured_asks_for_what_its_text_says() -> None:
    for ask in plan({"structured": 1}, 50):
        schema = ask.body["response_format"]["json_schema"]["schema"]
        jsonschema.validate(ask.check["json"], schema)
        assert ask.body["max_tokens"] >= 2 * answer(ask)
        text = ask.body["messages"][0]["content"].lower()
        for person in ask.check["json"]["people"]:
            assert all(str(value).lower() in text for value in person.values())


def test_long_contexts_have_their_facts_far_apart() -> None:
    for ask in plan({"long_context": 1}, 20, tier="full"):
        text = ask.body["messages"][0]["content"]
        places = sorted(text.index(str(value)) for value in ask.check["values"])
        assert 2 <= len(places) <= 4
        assert places[-1] - places[0] > len(text) / 8


def test_code_is_a_file_of_python_whose_last_function_is_to_be_written() -> None:
    for ask in plan({"code": 1}, 50):
        text = ask.body["messages"][0]["content"]
        file, _ = text.rsplit("\n\n", 1)
        *_, last = ast.parse(file).body
        assert isinstance(last, ast.FunctionDef)
        assert last.name == ask.check["function"]
        assert len(last.body) == 1  # its docstring


def test_earlier_turns_of_a_chat_take_turns() -> None:
    turns = Counter(len(ask.body["messages"]) for ask in plan({"chat": 1}, 200))
    assert set(turns) == {1, 3, 5, 7}
    for ask in plan({"chat": 1}, 30):
        roles = [message["role"] for message in ask.body["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def canaries(count: int) -> list[Ask]:
    body = {"messages": [{"role": "user", "content": "What is 2 + 3?"}], "max_tokens": 64}
    body |= {"temperature": 1, "logprobs": True, "seed": 5}  # of their own, which must not show
    return [Ask(n, "arithmetic", "chat/completions", body, check={"item": n}) for n in range(count)]


@settings(max_examples=25)
@given(share=st.floats(0.05, 0.5), count=st.integers(20, 120), seed=st.integers(0, 99))
def test_canaries_are_spread_over_the_load(share: float, count: int, seed: int) -> None:
    made = plan({"chat": 1}, count, seed, gate=Gate(canaries=share), canaries=canaries(5))
    assert len(made) == count
    ours = [ask for ask in made if ask.workload == "arithmetic"]
    assert share <= len(ours) / count < share + 1 / count + 1e-9
    items = [ask.check["item"] for ask in ours]
    assert len(set(items[:5])) == min(5, len(items))
    assert items[5:] == items[:-5]  # in the same order again
    stretch = count / len(ours)
    for number, ask in enumerate(ours):
        assert abs(ask.number - (number + 0.5) * stretch) <= stretch / 2 + 1


def test_nothing_but_their_words_tells_canaries_from_others() -> None:
    made = plan({"chat": 1}, 400, gate=Gate(canaries=0.5), canaries=canaries(7))
    ours = [ask for ask in made if ask.workload == "arithmetic"]
    others = [ask for ask in made if ask.workload == "chat"]
    assert all(ask.hang_up is None and ask.route == "chat/completions" for ask in ours)
    assert all(ask.at == ask.number / 4 for ask in made)
    for group in (ours, others):
        fields = Counter(field for ask in group for field in ask.body)
        assert fields["messages"] == fields["max_tokens"] == fields["temperature"] == 200
        assert 70 < fields["top_p"] < 130  # of 200, drawn without regard to whose it is
        assert 2 < fields["logprobs"] < 20


def test_without_a_gate_no_canary_is_asked() -> None:
    assert all(ask.workload == "chat" for ask in plan({"chat": 1}, 20, canaries=canaries(3)))


PROGRAM = """
import sys
from tests.bench.workloads.test_plan import ALL, plan
print(hash("a"), file=sys.stderr)
print([repr(ask) for ask in plan(ALL, 7, 2**255 + 1)])
"""


def test_the_same_seed_asks_the_same_in_any_process() -> None:
    root = Path(__file__).parents[3]
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=root,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stderr != runs[1].stderr  # hashes did differ
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.strip() == str([repr(ask) for ask in plan(ALL, 7, 2**255 + 1)])


def test_another_seed_shares_no_text() -> None:
    def pieces(seed: int, size: int) -> set[str]:
        made = [text for ask in plan(ALL, 150, seed) for text in texts(ask)]
        made = [text for text in made if not text.startswith("[{")]  # definitions of tools
        return {text[i : i + size] for text in made for i in range(len(text) - size)}

    # Longer than any frame of a sentence or line of code with the few words that two may share.
    assert not pieces(1, 160) & pieces(2, 160)
    ours = plan(ALL, 150, 1)
    assert {repr(a.body) for a in ours}.isdisjoint({repr(b.body) for b in plan(ALL, 150, 2)})


def test_texts_of_a_file_take_the_place_of_made_ones(tmp_path: Path) -> None:
    path = tmp_path / "sea.txt"
    path.write_text("The sea was calm today. " * 3 + "Nobody swam. " * 3)
    for ask in plan({"summary": 1}, 5, texts=str(path)):
        start, *told, _ = ask.body["messages"][0]["content"].split("\n\n")
        assert re.fullmatch(NONCE, start)
        sentences = {sentence.strip(" .") for part in told for sentence in part.split(".")}
        assert sentences == {"The sea was calm today", "Nobody swam", ""}
