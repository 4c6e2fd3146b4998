"""`hearth pull`: what it says can be done with what came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhearth.store import Store


@pytest.mark.parametrize(
    ("fixture", "advice"),
    [
        ("tiny_directory", "Talk to it with `hearth chat it`."),
        ("plain_directory", "It continues text: `hearth run it "),
        ("encoder_directory", "It makes vectors of texts: `openhearth.inference.open_encoder`"),
    ],
)
def test_the_next_step_fits_the_model(
    fixture: str, advice: str, hearth: Any, request: pytest.FixtureRequest
) -> None:
    directory = request.getfixturevalue(fixture)
    result = hearth("pull", str(directory), "--name", "it")
    assert result.code == 0
    assert result.out.startswith("it: model ")
    assert advice in result.out
    value = hearth("--json", "pull", str(directory), "--name", "it").json
    assert value["names"] == ["it"]


def test_of_what_is_no_model_the_manifest_can_be_seen(hearth: Any, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.tag("texts", other.make("corpus", lambda draft: None).digest)
    result = hearth("pull", f"file://{other.root}#texts")
    assert "`hearth show texts` tells what it is." in result.out
