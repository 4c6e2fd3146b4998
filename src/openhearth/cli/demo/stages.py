"""The demo's stages, each a call or two into the rooms."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from openhearth.bench import Comparison, bits_per_byte, describe_machine, overlap
from openhearth.bench.improvement.report import Package, Report, Sample
from openhearth.bench.load import Target, fixed_concurrency
from openhearth.bench.measures import Measures, measure
from openhearth.cli.demo import server as child
from openhearth.cli.demo.plan import BASE, Plan
from openhearth.cli.demo.server import Server
from openhearth.data import CurateRecipe, Tokenizer, TokenShards, curate, read_split, tokenize
from openhearth.errors import HearthError
from openhearth.models import answer_nats, load_adapter, load_model, pull
from openhearth.progress import Progress
from openhearth.store import Artifact, Store, lineage
from openhearth.training import TuneRecipe, tune

SAMPLES = 3


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
    return child.running(store.root, BASE, plan.name)


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
    async def ask() -> list[str]:
        target = Target(server.url, server.key, model, plan.max_answer)
        total, texts = len(answers.questions), [""] * len(answers.questions)
        waiting = iter(range(total))
        done = 0

        async def caller() -> None:
            nonlocal done
            for i in waiting:
                (record,) = await fixed_concurrency(target, [answers.questions[i]], 1)
                if record.error:
                    raise HearthError(f"The server failed to answer ({record.error}): see its log.")
                texts[i] = record.text
                done += 1
                progress(f"ask {model}", done, total, "answers")

        await asyncio.gather(*(caller() for _ in range(max(plan.requests))))
        return texts

    return asyncio.run(ask())


def prove_speed(
    server: Server, plan: Plan, answers: Answers, progress: Progress
) -> dict[int, Measures]:
    """The adapter's server under each number of callers, all answers of one length."""
    target = Target(
        server.url, server.key, plan.name, plan.max_answer, ignore=(answers.end_of_turn,)
    )
    asyncio.run(fixed_concurrency(target, answers.questions[:2], 2))  # warm-up, not counted
    measured = {}
    for callers, count in plan.requests.items():
        questions = repeat(answers.questions, count)

        def seen(n: int, stage: str = f"{callers} callers", total: int = count) -> None:
            progress(stage, n, total, "requests")

        records = asyncio.run(fixed_concurrency(target, questions, callers, seen))
        measured[callers] = measure(records)
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
    serving: dict[int, Measures],
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
