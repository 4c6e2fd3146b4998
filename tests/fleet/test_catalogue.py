"""The catalogue: names in the store and what they mean, also after they have changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from openhearth.errors import NotFound
from openhearth.fleet import Catalogue
from openhearth.inference import Engine
from openhearth.models import pull
from openhearth.store import Store
from tests.conftest import make_adapter


@pytest.fixture
def store(long_home: Path, tmp_path: Path) -> Store:
    """A copy that may be changed."""
    return Store(shutil.copytree(long_home, tmp_path / "home"))


def test_it_says_of_every_model_what_an_engine_says(store: Store) -> None:
    versions = Catalogue(store).versions()
    with Engine.open(store, list(versions)) as engine:
        # How much fits a node's memory only the node knows.
        told = {replace(card, room=None) for card in engine.models()}
        assert {v.card for v in versions.values()} == told
        assert {v.sizes for v in versions.values()} == {
            one.sizes for one in engine._served.values()
        }


def test_what_writes_no_text_is_not_in_it(store: Store, encoder_directory: Path) -> None:
    pull(store, str(encoder_directory), name="encoder")
    assert set(Catalogue(store).versions()) == {"long", "tuned"}


def test_a_new_name_and_a_new_version_are_found(store: Store) -> None:
    catalogue = Catalogue(store)
    old = catalogue.find("tuned")
    assert old.card.base == "long"
    make_adapter(store, store.get("long"), "tuned", seed=2)
    make_adapter(store, store.get("long"), "me/other:2", seed=3)
    assert catalogue.find("tuned").card.digest not in ("", old.card.digest)
    assert catalogue.find("me/other:2").base == old.base
    store.refs.drop("tuned")
    with pytest.raises(NotFound, match="use one of long, me/other:2"):
        catalogue.find("tuned")


def test_names_are_not_read_again_unless_they_change(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue(store)
    monkeypatch.setattr("openhearth.store.refs.SETTLED", -1.0)
    before = catalogue.versions()
    assert catalogue.versions() is before
    store.tag("again", store.get("long").digest)
    assert "again" in catalogue.versions()


def test_a_damaged_artifact_is_left_out_until_it_is_whole(store: Store) -> None:
    path = store.manifest_path(store.get("tuned").digest)
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(b"{}")
    catalogue = Catalogue(store)
    assert set(catalogue.versions()) == {"long"}
    path.write_bytes(content)
    assert set(catalogue.versions()) == {"long", "tuned"}


def test_an_adapter_has_the_tokenizer_of_its_base_once(store: Store) -> None:
    catalogue = Catalogue(store)
    one, other = (catalogue.tokenizer(catalogue.find(name)) for name in ("long", "tuned"))
    assert one is other
    assert one.decode(one.encode("The fox")) == "The fox"


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="hearth pull"):
        Catalogue(Store(tmp_path)).find("anything")
