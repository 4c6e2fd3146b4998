"""From an artifact back to what it was made from."""

from __future__ import annotations

import pytest

from openhearth.errors import NotFound
from openhearth.store import Artifact, Draft, Store, lineage
from tests.store.conftest import add


def licensed(store: Store, kind: str, terms: list[str], **inputs: str) -> Artifact:
    def build(draft: Draft) -> None:
        draft.path("kind").write_text(kind)
        draft.license += terms
        draft.creator.append("Ada")

    return store.make(kind, build, inputs=inputs)


def test_every_artifact_and_licence_on_the_way_is_met_once(store: Store) -> None:
    corpus = licensed(store, "corpus", ["MIT", "BSD", "ISC", "PSF", "Zlib"])
    model = licensed(store, "model", ["Apache-2.0"])
    dataset = licensed(store, "dataset", ["MIT"], corpus=corpus.digest, base=model.digest)
    adapter = licensed(store, "adapter", [], data=dataset.digest, base=model.digest)
    store.tag("mine", adapter.digest)
    found = lineage(adapter)
    assert [n.artifact.kind for n in found.walk()] == ["adapter", "model", "dataset", "corpus"]
    assert found.licenses() == ["Apache-2.0", "BSD", "ISC", "MIT", "PSF", "Zlib"]
    assert found.tree().splitlines() == [
        f"adapter {adapter.digest[:12]}  mine",
        f"  base: model {model.digest[:12]}  (no name)  [Apache-2.0]",
        f"  data: dataset {dataset.digest[:12]}  (no name)  [MIT]",
        f"    base: model {model.digest[:12]}  (no name)  [Apache-2.0]",
        f"    corpus: corpus {corpus.digest[:12]}  (no name)  [BSD, ISC, MIT, PSF and 1 more]",
    ]
    nested = found.to_dict()["inputs"]["data"]["inputs"]["corpus"]
    assert nested["digest"] == corpus.digest
    assert nested["creator"] == ["Ada"]


def test_a_missing_input_is_said(store: Store) -> None:
    base = add(store, "base")
    top = add(store, "top", base)
    store.manifest_path(base.digest).unlink()
    with pytest.raises(NotFound, match=base.digest[:12]):
        lineage(top)
