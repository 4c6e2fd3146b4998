"""What processes that read strangers' bytes are not told."""

import pytest

from openhearth.platform.strangers import SECRETS, environment


def test_what_opens_the_platform_is_left_out_and_all_else_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("OPENHEARTH_HOME", "/home")
    assert "secret" not in environment().values()
    assert environment()["OPENHEARTH_HOME"] == "/home"
