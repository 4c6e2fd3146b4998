"""`hearth doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
from typing import Any

import click

from openhearth import __version__
from openhearth.cli.frame import emit, size, table
from openhearth.errors import HearthError

EXTRAS = {
    "torch": ("torch", "models, tuning and answers"),
    "fastapi": ("serve", "the API server"),
    "matplotlib": ("report", "the plots of reports"),
    "resiliparse": ("html", "HTML pages"),
}


@click.command()
def doctor() -> None:
    """Say what this machine can do and what is missing, with the remedy."""
    checks = [*_machine(), *_packages(), *_store(), _port(8080)]
    rows = [["ok" if c["ok"] else "--", c["what"], c["found"], c["remedy"]] for c in checks]
    emit(checks, lambda: table(["", "what", "found", "remedy"], rows))


def _check(what: str, found: str, *, ok: bool = True, remedy: str = "") -> dict[str, Any]:
    return {"what": what, "found": found, "ok": ok, "remedy": "" if ok else remedy}


def _machine() -> list[dict[str, Any]]:
    from openhearth.bench.machine import cores, memory, vector_units

    return [
        _check("OpenHearth", __version__),
        _check("Python", platform.python_version()),
        _check("cores", str(cores())),
        _check("memory", size(memory()), ok=memory() > 4e9, remedy="4 GB or more to tune a model"),
        _check("vector units", " ".join(vector_units()) or "none known"),
    ]


def _packages() -> list[dict[str, Any]]:
    from openhearth.data.signals import native_available

    checks = [
        _check(
            "native extension",
            "built" if native_available() else "missing: signals are slower",
            ok=native_available(),
            remedy="install a C++ compiler, then OpenHearth again",
        )
    ]
    for package, (extra, purpose) in EXTRAS.items():
        there = importlib.util.find_spec(package) is not None
        checks.append(
            _check(
                purpose,
                package if there else f"{package} missing",
                ok=there,
                remedy=f"pip install 'openhearth[{extra}]'",
            )
        )
    return checks


def _store() -> list[dict[str, Any]]:
    from openhearth.store import Store

    here = Store(url="").root
    free = shutil.disk_usage(here).free
    return [
        _check("store", str(here)),
        _check("disk free", size(free), ok=free > 2e9, remedy="2 GB or more; `hearth gc` helps"),
        *_artifacts(),
    ]


def _artifacts() -> list[dict[str, Any]]:
    """Where artifacts last, and which of them are models."""
    from openhearth.store import Store
    from openhearth.store.disk import lasting_place
    from openhearth.store.place import shown

    try:
        store = Store()
        models = [n for n in store.refs.all() if store.get(n).kind in ("model", "adapter")]
    except HearthError as error:
        found = shown(lasting_place()) or "in the store"
        return [_check("artifacts", found, ok=False, remedy=str(error))]
    remote = store.catalogue.remote
    return [
        _check("artifacts", remote.url if remote else "in the store"),
        _check(
            "models",
            ", ".join(models) or "none",
            ok=bool(models),
            remedy="hearth pull smollm2-135m",
        ),
    ]


def _port(number: int) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            remedy = "give another with `--port`"
            return _check(f"port {number}", "in use", ok=False, remedy=remedy)
    return _check(f"port {number}", "free")
