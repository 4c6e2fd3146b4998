"""Real text to learn from: the standard library's docstrings, and its functions' code."""

from __future__ import annotations

import ast
import random
import sysconfig
from pathlib import Path

import pytest

FILES = 110


@pytest.fixture(scope="session")
def library() -> dict[str, list[str]]:
    """`prose` is docstrings, `code` functions without one; in a fixed random order."""
    found: dict[str, list[str]] = {"prose": [], "code": []}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:FILES]:
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                docstring = ast.get_docstring(node)
                if docstring and len(docstring) > 150:
                    found["prose"].append(docstring)
                elif isinstance(node, ast.FunctionDef) and not docstring:
                    found["code"].append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    for texts in found.values():
        random.Random(0).shuffle(texts)
    return found


@pytest.fixture(scope="session")
def prose(library: dict[str, list[str]]) -> list[str]:
    return library["prose"][:700]


@pytest.fixture(scope="session")
def code(library: dict[str, list[str]]) -> list[str]:
    return library["code"][:700]
