"""The tokenizer inside a GGUF file, as `tokenizer.json`.

GGUF names how text is split before BPE (`tokenizer.ggml.pre`); we know the splits of the families
that we load. SentencePiece vocabularies (`llama`) carry scores instead of merges: the merges are
all pairs of known pieces that join to a known piece, best score first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from openhearth.errors import CorruptArtifact, MissingExtra, UsageError

if TYPE_CHECKING:
    import tokenizers

    from openhearth.models.gguf import GgufFile

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4  # tokenizer.ggml.token_type

# Words, numbers, punctuation and spaces; the families differ in how many digits stay together.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DIGITS = {"llama-bpe": "{1,3}", "llama3": "{1,3}", "qwen2": ""}


def convert(file: GgufFile) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    """The tokenizer, and its settings as `tokenizer_config.json` has them.

    Raises:
        UsageError: it is of a kind that is not supported.
        CorruptArtifact: its parts do not fit together.
    """
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise MissingExtra("tokenizers", "torch") from error
    kind, pieces = file.field("tokenizer.ggml.model"), file.field("tokenizer.ggml.tokens")
    builders = {"gpt2": _byte_level, "llama": _sentence_piece}
    if kind not in builders:
        raise UsageError(f"Tokenizers of kind {kind!r} in GGUF files are not supported yet.")
    try:
        backend = builders[kind](file, {piece: i for i, piece in enumerate(pieces)})
        backend.add_tokens(
            [
                # Unknown is special too: it must not appear in decoded text.
                tokenizers.AddedToken(piece, special=type_ != USER_DEFINED, normalized=False)
                for piece, type_ in zip(pieces, _types(file), strict=True)
                if type_ in (CONTROL, UNKNOWN, USER_DEFINED)
            ]
        )
        return backend, _settings(file, pieces, kind)
    except UsageError:
        raise
    except Exception as error:  # the library raises bare Exception for whatever it dislikes
        raise CorruptArtifact(
            f"The tokenizer in {file.path.name} does not fit together ({error}): "
            "download the model again."
        ) from error


def _byte_level(file: GgufFile, vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    kind = file.field("tokenizer.ggml.pre", "default")
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if kind in DIGITS:
        split = Regex(SPLIT.format(digits=DIGITS[kind]))
        before = [
            pre_tokenizers.Split(split, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    elif kind == "smollm":
        before = [pre_tokenizers.Digits(individual_digits=True), whole]
    elif kind in ("default", "gpt-2"):
        before = [whole]
    else:
        raise UsageError(f"The text splitting {kind!r} in GGUF files is not supported yet.")
    merges = [tuple(m.split(" ", 1)) for m in file.field("tokenizer.ggml.merges")]
    # Only Llama 3 takes a word that is a token as a whole, whatever the merges would make of it.
    backend = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, ignore_merges=kind in ("llama-bpe", "llama3"))
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(before)
    backend.decoder = decoders.ByteLevel()
    return backend


def _sentence_piece(file: GgufFile, vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers

    scores, types = file.field("tokenizer.ggml.scores"), _types(file)
    # Text that reads like a control token or a byte's name must not become one by merging.
    words = {piece: scores[i] for piece, i in vocabulary.items() if types[i] == NORMAL}
    merges = sorted(_joins(words), key=lambda pair: -words["".join(pair)])
    unknown = file.field("tokenizer.ggml.tokens")[file.field("tokenizer.ggml.unknown_token_id", 0)]
    backend = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True
        )
    )
    prefix = file.field("tokenizer.ggml.add_space_prefix", True)
    spaces = [normalizers.Replace(" ", "▁")]
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), *spaces] if prefix else spaces
    )
    ends = [decoders.Strip(" ", 1, 0)] if prefix else []
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *ends]
    )
    return backend


def _joins(words: Collection[str]) -> Iterator[tuple[str, str]]:
    """Every way to make a piece of two pieces."""
    for piece in words:
        for cut in range(1, len(piece)):
            if piece[:cut] in words and piece[cut:] in words:
                yield piece[:cut], piece[cut:]


def _types(file: GgufFile) -> list[int]:
    pieces = file.field("tokenizer.ggml.tokens")
    return file.field("tokenizer.ggml.token_type") or [NORMAL] * len(pieces)


def _settings(file: GgufFile, pieces: list[str], kind: str) -> dict[str, Any]:
    def named(role: str) -> str | None:
        number = file.field(f"tokenizer.ggml.{role}_token_id")
        return None if number is None else pieces[number]

    ends = [file.field(f"tokenizer.ggml.{role}_token_id") for role in ("eot", "eom")]
    settings = {
        "bos_token": named("bos"),
        "eos_token": named("eos"),
        "add_bos_token": file.field("tokenizer.ggml.add_bos_token", kind == "llama"),
        "chat_template": file.field("tokenizer.chat_template"),
        "eos_token_ids": [number for number in ends if number is not None],
    }
    return {name: value for name, value in settings.items() if value is not None}
