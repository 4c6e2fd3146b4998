"""What a table of names says, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

BLOCK = re.compile(r"^blocks\.(\d+)\.")


@dataclass(frozen=True)
class Fused:
    """A matrix that is one of several which another format keeps as one, their rows one after
    another: `parts` are all that it is made of, in our words.
    """

    name: str
    parts: tuple[str, ...]


Table = dict[str, str | Fused]
"""Their name by ours. `{i}` is the number of a block; in theirs, `{e}` is that of an expert, of all
of which ours is the stack, and `{qkv}` a letter of three, whose rows ours has one after another.
What it has no word for keeps our name. Where mixers and channel mixers are counted together, `{m}`
and `{c}` are the numbers of a block's."""


def fused(name: str, *parts: str) -> Table:
    """The entries of the parts of one matrix."""
    return dict.fromkeys(parts, Fused(name, parts))


def numbered(table: Table, channels: Sequence[bool]) -> Table:
    """A table for blocks that have a channel mixer or none: names for each of them, where those for
    all do not say enough.
    """
    if not any(isinstance(theirs, str) and "{m}" in theirs for theirs in table.values()):
        return table
    found: Table = {}
    layers = 0  # before the block
    for i, has_channel in enumerate(channels):
        for ours, theirs in table.items():
            assert isinstance(theirs, str)
            counted = theirs.replace("{m}", str(layers)).replace("{c}", str(layers + 1))
            found[ours.replace("{i}", str(i))] = counted
        layers += 1 + has_channel
    return found


def translate(name: str, table: Table) -> str:
    """Our name for a weight, or for the matrix it belongs to, in the words of another format.

    >>> translate("blocks.3.mixer.q.weight", {"blocks.{i}.mixer.q": "layers.{i}.q_proj"})
    'layers.3.q_proj.weight'
    """
    found = _find(name, table)
    if found is None:
        return name
    entry, number, leaf = found
    theirs = entry.name if isinstance(entry, Fused) else entry
    return theirs.replace("{i}", number) + leaf


def partners(name: str, table: Table) -> list[str]:
    """All weights of ours that are in the same one of theirs, in its order."""
    match _find(name, table):
        case Fused() as entry, number, leaf:
            return [part.replace("{i}", number) + leaf for part in entry.parts]
    return [name]


def _find(name: str, table: Table) -> tuple[str | Fused, str, str] | None:
    """An entry, the number of the block, and what follows the matrix; None if it has none."""
    block = BLOCK.match(name)
    for whole in (name, BLOCK.sub("blocks.{i}.", name)):
        module, dot, last = whole.rpartition(".")
        for entry, leaf in ((whole, ""), (module, dot + last)):
            if entry in table:
                return table[entry], block[1] if block else "", leaf
    return None
