"""A `tokenizer.json` as the metadata of a GGUF file: the way back from `gguf_tokenizer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.export import token_numbers, token_text
from openhearth.models.gguf_tokenizer import (
    CONTROL,
    DIGITS,
    NORMAL,
    SPLIT,
    UNKNOWN,
    USER_DEFINED,
)

UNUSED, BYTE = 5, 6  # of the types of tokens, those that are not made into others when read
BYTES = {f"<0x{byte:02X}>" for byte in range(256)}


def vocabulary_fields(
    definition: dict[str, Any], settings: Mapping[str, Any], size: int
) -> dict[str, Any]:
    """The fields `tokenizer.*` for a tokenizer, filled up to the model's `size` of vocabulary.

    Raises:
        UsageError: GGUF has no words for a tokenizer of this kind.
    """
    model = definition["model"]
    if model["type"] != "BPE":
        raise UsageError(f"Tokenizers of kind {model['type']} cannot be written as GGUF yet.")
    pieces = _pieces(definition, size)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    fields = {"tokens": pieces, "token_type": _types(definition, pieces)}
    if model.get("byte_fallback"):
        fields |= {"model": "llama", "scores": _scores(pieces, merges)}
        fields |= {"add_space_prefix": "Prepend" in _kinds(definition["normalizer"])}
    else:
        fields |= {"model": "gpt2", "pre": _split(definition), "merges": merges}
    return {f"tokenizer.ggml.{name}": value for name, value in fields.items()} | _special(
        definition, settings
    )


def _pieces(definition: dict[str, Any], size: int) -> list[str]:
    pieces = [f"[PAD{number}]" for number in range(size)]
    for piece, number in token_numbers(definition).items():
        if number >= size:
            raise UsageError(f"Token {piece!r} is beyond the model's vocabulary of {size}.")
        pieces[number] = piece
    return pieces


def _types(definition: dict[str, Any], pieces: list[str]) -> list[int]:
    added = {token["content"]: token["special"] for token in definition.get("added_tokens", [])}
    unknown, known = definition["model"].get("unk_token"), definition["model"]["vocab"]

    def of(piece: str) -> int:
        if piece == unknown:
            return UNKNOWN
        if piece in added:
            return CONTROL if added[piece] else USER_DEFINED
        if piece not in known:
            return UNUSED
        return BYTE if piece in BYTES and definition["model"].get("byte_fallback") else NORMAL

    return [of(piece) for piece in pieces]


def _scores(pieces: list[str], merges: list[str]) -> list[float]:
    """A piece is better, the earlier a merge makes it."""
    made: dict[str, float] = {}
    for rank, merge in enumerate(merges):
        made.setdefault(merge.replace(" ", "", 1), -float(rank))
    return [made.get(piece, -float(len(merges))) for piece in pieces]


def _kinds(part: dict[str, Any] | None) -> list[str]:
    """The kinds of a part of a tokenizer, and of those that it is made of."""
    if part is None:
        return []
    inner = part.get("normalizers") or part.get("pretokenizers") or []
    return [part["type"], *(kind for each in inner for kind in _kinds(each))]


def _split(definition: dict[str, Any]) -> str:
    """GGUF's name of how text is split before the merges."""
    part = definition["pre_tokenizer"]
    steps = (part or {}).get("pretokenizers", [part])
    patterns = [step["pattern"].get("Regex") for step in steps if step and step["type"] == "Split"]
    for name, digits in DIGITS.items():
        if patterns == [SPLIT.format(digits=digits)]:
            return name
    kinds = _kinds(part)
    if kinds == ["Sequence", "Digits", "ByteLevel"]:
        return "smollm"
    if kinds in (["ByteLevel"], ["Sequence", "ByteLevel"]):
        return "gpt-2"
    raise UsageError("How this tokenizer splits text has no name in GGUF that we know.")


def _special(definition: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    numbers = token_numbers(definition)
    texts = {role: token_text(settings.get(f"{role}_token")) for role in ("bos", "eos")}
    texts["unknown"] = definition["model"].get("unk_token") or ""
    fields = {
        f"tokenizer.ggml.{role}_token_id": numbers[text]
        for role, text in texts.items()
        if text in numbers
    }
    further = [n for n in settings.get("eos_token_ids", []) if n != numbers.get(texts["eos"])]
    fields |= {
        f"tokenizer.ggml.{role}_token_id": number
        for role, number in zip(("eot", "eom"), further, strict=False)
    }
    if "add_bos_token" in settings:
        fields["tokenizer.ggml.add_bos_token"] = settings["add_bos_token"]
    if settings.get("chat_template"):
        fields["tokenizer.chat_template"] = settings["chat_template"]
    return fields
