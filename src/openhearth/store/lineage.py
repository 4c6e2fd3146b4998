"""From a model back to the packages, people and licences it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from openhearth.store.artifact import Artifact


@dataclass(frozen=True)
class Lineage:
    """One artifact and, under each role, the lineage of the input that played it."""

    artifact: Artifact
    names: list[str]
    inputs: dict[str, Lineage] = field(default_factory=dict)

    def walk(self) -> list[Lineage]:
        """This and everything behind it, each artifact once, nearest first."""
        seen: dict[str, Lineage] = {}
        queue = [self]
        while queue:
            node = queue.pop(0)
            if node.artifact.digest not in seen:
                seen[node.artifact.digest] = node
                queue.extend(node.inputs.values())
        return list(seen.values())

    def licenses(self) -> list[str]:
        """Every licence met on the way, sorted."""
        return sorted({name for node in self.walk() for name in node.artifact.manifest.license})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, nested as the lineage is."""
        manifest = self.artifact.manifest
        return {
            "digest": self.artifact.digest,
            "kind": manifest.kind,
            "names": self.names,
            "license": list(manifest.license),
            "creator": list(manifest.creator),
            "inputs": {role: node.to_dict() for role, node in self.inputs.items()},
        }

    def tree(self, role: str = "", indent: str = "") -> str:
        """The lineage as indented text, one artifact a line."""
        manifest = self.artifact.manifest
        label = ", ".join(self.names) or "(no name)"
        terms = f"  [{summary(manifest.license)}]" if manifest.license else ""
        head = f"{indent}{role + ': ' if role else ''}{manifest.kind} "
        lines = [f"{head}{self.artifact.digest[:12]}  {label}{terms}"]
        lines += [node.tree(name, indent + "  ") for name, node in self.inputs.items()]
        return "\n".join(lines)


def summary(items: tuple[str, ...], shown: int = 4) -> str:
    """The first few items and how many more there are."""
    rest = len(items) - shown
    return ", ".join(items[:shown]) + (f" and {rest} more" if rest > 0 else "")


def lineage(artifact: Artifact) -> Lineage:
    """Walk an artifact's inputs to their ends.

    Raises:
        NotFound: an input was removed from the store.
    """
    store = artifact.store
    inputs = {role: lineage(store.get(d)) for role, d in sorted(artifact.manifest.inputs.items())}
    return Lineage(artifact, store.names_of(artifact.digest), inputs)
