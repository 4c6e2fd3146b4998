"""The demo's stages, each a call or two into the rooms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from openhearth.bench import Comparison, bits_per_byte, describe_machine, overlap, own_server
from openhearth.bench.improvement.report import Package, Report, Sample
from openhearth.bench.load import Target, carry_out
from openhearth.bench.measures import PointMeasures, counter, measure
from openhearth.bench.own_server import Server
from openhearth.bench.recipe import Callers, Recipe
from openhearth.bench.records import Ask
from openhearth.cli.demo.plan import BASE, Plan
from openhearth.data import CurateRecipe, Tokenizer, TokenShards, curate, read_split, tokenize
from openhearth.errors import HearthError
from openhearth.models import answer_nats, load_adapter, load_model, pull
from openhearth.progress import Progress
from openhearth.store import Artifact, Store, lineage
from openhearth.training import TuneRecipe, tune

SAMPLES = 3
PATIENCE_S = 300.0  # without a byte


@dataclass(frozen=True)
class Answers:
    """Held-out questions with the true answers, and the token that ends an answer."""

    sources: list[str]
    questions: list[list[dict[str, str]]]
    references: list[str]
    end_of_turn: int


def curate_text(store: Store, plan: Plan, progress: Progress) -> Artifact:
    """The plan's text as a dataset."""
    recipe = CurateRecipe(source=plan.location, rules=(plan.rules,))
    return curate(store, recipe, progress)


def tune_model(
    store: Store, plan: Plan, dataset: Artifact, progress: Progress
) -> tuple[Artifact, Artifact]:
    """The base model, and the adapter tuned on the dataset, named as the plan says."""
    base = pull(store, BASE, progress=progress)
    recipe = TuneRecipe(base=BASE, data=dataset.digest, tokens=plan.train_tokens)
    adapter = tune(store, recipe, progress)
    store.tag(plan.name, adapter.digest)
    return base, adapter


def prove_quality(
    store: Store,
    plan: Plan,
    dataset: Artifact,
    base: Artifact,
    adapter: Artifact,
    progress: Progress,
) -> tuple[Comparison, Answers]:
    """Bits per byte of both models on held-out sources, and the questions for the next stage."""
    shards = TokenShards.open(tokenize(store, dataset, base), "heldout")
    chosen = spread(shards, plan.scored)
    model = load_model(base)
    load_adapter(model, adapter, plan.name)
    before = answer_nats(model, shards, chosen, progress=progress)
    after = answer_nats(model, shards, chosen, adapter=plan.name, progress=progress)
    sources = [shards.source(i) for i in chosen]
    bits = bits_per_byte(sources, before, after, [int(shards.answer_bytes[i]) for i in chosen])
    asked = chosen[: plan.answered]
    answers = Answers(
        [shards.source(i) for i in asked],
        [shards.messages(i)[:-1] for i in asked],
        [shards.messages(i)[-1]["content"] for i in asked],
        Tokenizer.load(base).end_of_turn,
    )
    return bits, answers


def spread(shards: TokenShards, count: int) -> list[int]:
    """Up to `count` examples taken from all sources in turn, in a fixed random order."""
    order = np.random.default_rng(0).permutation(len(shards)).tolist()
    by_source: dict[str, list[int]] = {}
    for i in order:
        by_source.setdefault(shards.source(i), []).append(i)
    turns = max(map(len, by_source.values()), default=0)
    chosen = [rows[t] for t in range(turns) for rows in by_source.values() if t < len(rows)]
    return chosen[:count]


def served(store: Store, plan: Plan) -> AbstractContextManager[Server]:
    """The base model and the adapter behind the API."""
    return own_server.running(store.root, BASE, "--adapter", plan.name)


def generate(
    server: Server, plan: Plan, answers: Answers, progress: Progress
) -> tuple[Comparison, list[Sample]]:
    """Both models' answers to held-out questions, compared with the true ones."""
    texts = {model: _ask_all(server, model, plan, answers, progress) for model in (BASE, plan.name)}
    compared = overlap(answers.sources, texts[BASE], texts[plan.name], answers.references)
    samples = [
        Sample(source, question[-1]["content"], reference, base, tuned)
        for source, question, reference, base, tuned in zip(
            answers.sources,
            answers.questions,
            answers.references,
            texts[BASE],
            texts[plan.name],
            strict=True,
        )
    ]
    return compared, samples[:SAMPLES]


def _ask_all(
    server: Server, model: str, plan: Plan, answers: Answers, progress: Progress
) -> list[str]:
    target, asks = Target(server.url, model, server.key), _asks(answers.questions, plan)
    records = carry_out(
        target,
        asks,
        callers=max(plan.requests),
        timeout_s=PATIENCE_S,
        seen=lambda done: progress(f"ask {model}", done, len(asks), "answers"),
    ).records
    for record in records:
        if record.failure:
            raise HearthError(f"The server failed to answer ({record.detail}): see its log.")
    return [record.text for record in records]


def _asks(
    questions: Sequence[list[dict[str, str]]], plan: Plan, never: int | None = None
) -> list[Ask]:
    """Greedy requests for answers to questions; the token `never` is ruled out."""
    body: dict[str, Any] = {"max_tokens": plan.max_answer, "temperature": 0}
    if never is not None:
        body["logit_bias"] = {str(never): -100}
    return [
        Ask(number, "demo", "chat/completions", body | {"messages": question})
        for number, question in enumerate(questions)
    ]


def prove_speed(
    store: Store, server: Server, plan: Plan, answers: Answers, progress: Progress
) -> dict[int, PointMeasures]:
    """The adapter's server under each number of callers, all answers of one length."""
    target = Target(server.url, plan.name, server.key)
    warm_up = _asks(answers.questions[:2], plan, answers.end_of_turn)  # not counted
    carry_out(target, warm_up, callers=2, timeout_s=PATIENCE_S)
    tokens, measured = counter(BASE, store), {}
    for callers, count in plan.requests.items():
        asks = _asks(repeat(answers.questions, count), plan, answers.end_of_turn)

        def seen(n: int, stage: str = f"{callers} callers", total: int = count) -> None:
            progress(stage, n, total, "requests")

        sent = carry_out(target, asks, callers=callers, timeout_s=PATIENCE_S, seen=seen)
        load = Callers(arrivals="callers", callers=callers)
        recipe = Recipe(name="demo", workloads={"chat": 1}, load=load)
        measured[callers] = measure(sent.records, recipe, tokens, seconds=recipe.shortest)
    return measured


def repeat(questions: Sequence[list[dict[str, str]]], count: int) -> list[list[dict[str, str]]]:
    """`count` of the questions, again from the first when they run out."""
    return [questions[i % len(questions)] for i in range(count)]


def account(
    store: Store,
    plan: Plan,
    dataset: Artifact,
    adapter: Artifact,
    bits: Comparison,
    compared: Comparison,
    samples: Sequence[Sample],
    serving: dict[int, PointMeasures],
    stages: list[tuple[str, float]],
) -> Report:
    """Everything that was found, with the lineage and the licences of what was trained on."""
    columns = ["source", "license", "creator"]
    trained = read_split(dataset, "train", columns)
    rows = Counter(tuple(row.values()) for row in trained.to_pylist())
    history, ancestry = adapter.read_json("history.json"), lineage(adapter)
    return Report(
        title="OpenHearth demo: from text to a tuned, served, measured model",
        base=BASE,
        adapter=plan.name,
        machine=describe_machine(),
        funnel=dataset.read_json("funnel.json"),
        losses=[step["loss"] for step in history],
        train_tokens=sum(step["tokens"] for step in history),
        train_tokens_per_s=store.cost(adapter.digest)["tokens_per_second"],
        bits=bits,
        overlap=compared,
        serving=serving,
        samples=samples,
        lineage=ancestry.to_dict(),
        lineage_tree=ancestry.tree(),
        packages=[
            Package(s, li or "", c or "", n) for (s, li, c), n in sorted(rows.items(), key=str)
        ],
        stages=stages,
    )
