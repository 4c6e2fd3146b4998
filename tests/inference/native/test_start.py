"""What a process that runs a model natively imports: nothing that takes long and is not needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from openhearth.inference.native import _engine
from openhearth.models import import_adapter, pull
from openhearth.store import Store
from tests.conftest import write_adapter

if _engine is None:
    pytest.skip("needs the native executor", allow_module_level=True)

PROGRAM = """
import json, sys
from openhearth.inference import Engine
from openhearth.store import Store
settings = {"store": Store(sys.argv[1]), "kv_memory": 2**20}
with Engine("small", adapters={"mine": "mine"}, **settings) as engine:
    for name in ("small", "mine"):
        assert engine.generate([20, 21], model=name, max_tokens=2).tokens
print(json.dumps(sorted(sys.modules)))
"""
HEAVY = {
    "torch",
    "transformers",
    "pyarrow",
    "fsspec",
    "pandas",
    "scipy",
    "llguidance",
    "safetensors",
}


def test_running_a_model_natively_needs_no_torch(small_directory: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    base = pull(store, str(small_directory), name="small")
    adapter = import_adapter(base, write_adapter(tmp_path / "mine", store, "small"))
    store.tag("mine", adapter.digest)
    call = [sys.executable, "-c", PROGRAM, str(store.root)]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    assert HEAVY.isdisjoint(json.loads(done.stdout))
