"""From a recipe to an artifact: an adapter, or a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from openhearth.data import Tokenizer
from openhearth.data.tokenizer import FILES, find_tokenizer
from openhearth.errors import UsageError
from openhearth.models import ModelConfig, base_of, choose, config_of
from openhearth.models.device import best_device
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store
from openhearth.training import memory
from openhearth.training.evaluation import Evaluator
from openhearth.training.group import Group
from openhearth.training.loop import Job, train
from openhearth.training.material import Material, inform, material
from openhearth.training.objectives import Contrast, Distill, Preference
from openhearth.training.order import Budget, order
from openhearth.training.recipe import TrainRecipe
from openhearth.training.results import account, make_stages
from openhearth.training.run import Run
from openhearth.training.subject import Subject, subject
from openhearth.training.versions import publish

HOW = {"shard"}
"""Fields that change how a result is made, but not which."""
NAMES = {"model", "tokenizer", "start", "data", "heldout", "name"}
"""Fields for which the digests of what they name stand."""


def carry_out(
    store: Store, recipe: TrainRecipe, progress: Progress = silent, group: Group | None = None
) -> Artifact:
    """Carry out a recipe. The result's inputs are the model and the tokens it saw.

    Beside the weights there is `history.json`, the loss, tokens, rate and gradient norm of every
    step, and `evaluations.json`. A run that was interrupted goes on from its last checkpoint, to
    the same bytes. The metric `stages` has the digests of those that were kept on its way, by
    steps. The processes of a `group` share one store.

    Raises:
        NotFound: the store lacks the model or the data.
        UsageError: they are of the wrong kind, the recipe does not fit them, or memory is short.
        HearthError: the loss is not a number any more, or has exploded.
    """
    group = group or Group.join()
    base, start = base_and_start(store, recipe)
    found = group.in_turn(lambda: material(store, recipe, base, progress))
    speaker = _speaker(store, recipe, base, start)
    settings = group.agree(_settings(recipe))  # `auto` may mean something else on each machine
    roles = {"base": base, "tokens": found.tokens, "from": start, "teacher": speaker}
    if start == base:
        del roles["from"]
    inputs = {role: artifact.digest for role, artifact in roles.items() if artifact is not None}
    kind = "model" if recipe.adapter is None else "adapter"
    informed = group.in_turn(lambda: inform(found, recipe, speaker, settings["dtype"], progress))

    def run(work: Path) -> tuple[Subject, Run]:
        progress("load", 0, None, base.digest[:12])
        trained = subject(recipe, base, start, settings["dtype"], group)
        job = _job(recipe, trained, informed, base)
        wanted = memory.check(job)
        try:
            return trained, train(job, work, progress, group)
        except (RuntimeError, MemoryError) as error:
            raise memory.explained(error, recipe, wanted) from error

    def build(draft: Draft) -> None:
        trained, done = run(Path(group.agree(str(draft.work))))

        def write(draft: Draft) -> None:
            trained.write(draft)
            draft.license += base.manifest.license

        # Making them takes a copy of all weights.
        several = recipe.stages > 1
        stages = make_stages(draft.work, trained.weights, done, write, make) if several else {}
        write(draft)
        account(draft, done, stages)

    def make(build: Callable[[Draft], None], **more: int) -> Artifact:
        return store.make(kind, build, inputs=inputs, recipe=settings | more)

    missing = group.agree(store.find(kind, inputs=inputs, recipe=settings) is None)
    if missing and not group.leads:
        run(Path(group.agree(None)))
    artifact = group.in_turn(lambda: make(build))
    if recipe.name and group.leads:
        publish(store, recipe.name, artifact)
    return artifact


def base_and_start(store: Store, recipe: TrainRecipe) -> tuple[Artifact, Artifact | None]:
    """The model that is adapted or trained on, or, of a new one, its tokenizer; and the version
    to go on from, if there is one.

    Raises:
        NotFound: the store lacks them.
        UsageError: they do not fit each other, or the objective.
    """
    start = store.get(recipe.start) if recipe.start else None
    if isinstance(recipe.model, ModelConfig):
        assert recipe.tokenizer is not None
        base = find_tokenizer(store, recipe.tokenizer)
        config = recipe.model
    else:
        named = store.get(recipe.model) if recipe.model is not None else start
        assert named is not None
        base = base_of(named)
        config = config_of(base)
    if not isinstance(recipe.objective, Contrast):
        config.check_writes()
    largest = Tokenizer.load(base).largest_id
    if largest >= config.vocab_size:
        raise UsageError(
            f"The tokenizer's ids go up to {largest}, but the model knows {config.vocab_size}: "
            "use the tokenizer that it was made for."
        )
    if start is not None and start.kind == "adapter" and base_of(start) != base:
        raise UsageError(
            f"{recipe.start} was trained on {base_of(start).digest[:12]}, not on {recipe.model}: "
            "go on with the same model."
        )
    return base, start


def _speaker(
    store: Store, recipe: TrainRecipe, base: Artifact, start: Artifact | None
) -> Artifact | None:
    """Whose words the objective compares with: a teacher's, or the model's before training."""
    objective = recipe.objective
    if isinstance(objective, Distill):
        teacher = store.get(objective.teacher)
        files = [a.manifest.files.get(FILES[0]) for a in (base_of(teacher), base)]
        if files[0] != files[1]:
            raise UsageError(
                f"{objective.teacher} has another tokenizer than the model, so it cannot teach it: "
                "use a teacher of the same family."
            )
        return teacher
    if isinstance(objective, Preference) and objective.needs_reference:
        return start or base
    return None


def _settings(recipe: TrainRecipe) -> dict[str, Any]:
    """What a result is made by. What `auto` means here is part of it; names are not."""
    settings = recipe.model_dump(mode="json", exclude=NAMES | HOW)
    settings["dtype"] = str(choose(recipe.dtype, best_device())).removeprefix("torch.")
    settings["objective"].pop("teacher", None)
    if isinstance(recipe.model, ModelConfig):
        settings["model"] = recipe.model.model_dump(mode="json")
    return settings


def budget_of(recipe: TrainRecipe) -> Budget:
    """How much the recipe trains."""
    return Budget(
        epochs=recipe.epochs,
        tokens=recipe.tokens,
        batch=recipe.batch_tokens,
        micro=recipe.micro_tokens,
        examples=recipe.batch_examples,
        seed=recipe.seed,
    )


def _job(recipe: TrainRecipe, trained: Subject, found: Material, base: Artifact) -> Job:
    evaluator = Evaluator(
        recipe.evaluation,
        recipe.objective,
        found.heldout,
        Tokenizer.load(base),
        trained.adapter,
        recipe.micro_tokens or recipe.batch_tokens,
    )
    return Job(
        recipe,
        trained.model,
        trained.adapter,
        trained.weights,
        found.train,
        order(found.train, budget_of(recipe)),
        evaluator,
    )
