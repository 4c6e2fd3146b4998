"""`hearth data`: text in, datasets out; each command in its own file."""

from __future__ import annotations

from openhearth.cli.lazy import LazyGroup

HERE = "openhearth.cli.data"

data = LazyGroup(
    "data",
    help="Text in, datasets out.",
    lazy={
        "corpus": (f"{HERE}.corpus:corpus", "Real text by name, from package registries."),
        "read": (f"{HERE}.read:read", "The first documents at a location."),
        "signals": (f"{HERE}.signals:signals", "Quality signals of documents."),
        "filter": (f"{HERE}.filter:filter_", "Documents that pass rules."),
        "explain": (f"{HERE}.explain:explain", "Why a document stays or goes."),
        "what-if": (f"{HERE}.what_if:what_if", "What other thresholds would keep."),
        "train-scorer": (f"{HERE}.scorer:train_scorer", "A quality model of your own texts."),
        "counts": (f"{HERE}.counts:counts", "How often words occur, for importance."),
        "dedup": (f"{HERE}.dedup:dedup", "Documents without their duplicates."),
        "minhash": (f"{HERE}.dedup:minhash", "Signatures of documents."),
        "select": (f"{HERE}.select:select", "Documents that are like a target."),
        "mix": (f"{HERE}.select:mix", "Slices in proportion."),
        "decontaminate": (f"{HERE}.clean:decontaminate", "Without what evaluations hold."),
        "mask": (f"{HERE}.clean:mask", "Without personal data."),
        "tokens": (f"{HERE}.tokens:tokens", "Token shards of a corpus or dataset."),
        "tokenizer": (f"{HERE}.tokens:tokenizer", "A tokenizer trained on a corpus."),
        "export": (f"{HERE}.tokens:export", "Token shards as Megatron's files."),
        "import": (f"{HERE}.tokens:import_", "Megatron's files as token shards."),
        "card": (f"{HERE}.provenance:card", "What a dataset was made from."),
        "forget": (f"{HERE}.provenance:forget", "Take documents out of a dataset."),
        "run": (f"{HERE}.run:run", "All of it, as a recipe says."),
    },
)
