"""Python functions with docstrings, as questions and answers: code in, first sentences out.

Sources are parsed, never imported: nothing of theirs runs.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import threading
import warnings
from collections.abc import Iterator

from openhearth.data.schema import Quarantine

INSTRUCTION = "Write the first sentences of the docstring of this Python function."
CODE_CHARACTERS = (60, 1200)
ANSWER_CHARACTERS = 300
SENTENCES = 2

# Where the prose of a docstring ends: a blank line, a field, a section, a doctest.
PROSE_END = re.compile(
    r"\n\s*\n|\n\s*(?:[:@]\w+|>>>|\.\. |(?:Args|Arguments|Parameters|Returns?|Raises|Example)s?\b)"
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")
# CPython counts the depth of the trees that it makes in one place for all threads: two that make
# some at once may find it wrong (SystemError: AST constructor recursion depth mismatch). Filters of
# warnings are shared by threads, too.
PARSING = threading.Lock()
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def functions(
    source: str, path: str, quarantine: Quarantine
) -> Iterator[tuple[str, str, list[dict[str, str]]]]:
    """Every function of a module that has a docstring and a body: its name with its line, its text
    (answer and code), and the conversation that is trained on.
    """
    try:
        with PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in other people's strings
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        quarantine.add("not Python", path)
        return
    lines = source.splitlines()
    for name, node in _functions(tree):
        answer = summary(ast.get_docstring(node, clean=False) or "")
        code = _without_docstring(node, lines)
        if answer and CODE_CHARACTERS[0] <= len(code) <= CODE_CHARACTERS[1]:
            yield f"{name}:{node.lineno}", f"{answer}\n\n{code}", question(code, answer)


def question(code: str, answer: str) -> list[dict[str, str]]:
    """The conversation that is trained on."""
    ask = f"{INSTRUCTION}\n```python\n{code}\n```"
    return [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]


def summary(docstring: str) -> str:
    """The first sentences of a docstring, on one line; empty if it begins with no prose."""
    prose = PROSE_END.split(inspect.cleandoc(docstring), maxsplit=1)[0]
    sentences = SENTENCE_END.split(" ".join(prose.split()))[:SENTENCES]
    while len(sentences) > 1 and len(" ".join(sentences)) > ANSWER_CHARACTERS:
        sentences.pop()
    text = " ".join(sentences)
    return text if len(text) <= ANSWER_CHARACTERS else ""


def _functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, FunctionNode]]:
    """Functions and methods with their qualified names, those inside functions left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If | ast.Try):
            yield from _functions(child, prefix)


def _without_docstring(node: FunctionNode, lines: list[str]) -> str:
    """The function's signature and body; empty if the docstring is all the body there is."""
    first = node.body[0]
    if len(node.body) == 1 or first.lineno == node.lineno or first.end_lineno is None:
        return ""
    if node.body[1].lineno == first.end_lineno:  # another statement on the same line
        return ""
    kept = lines[node.lineno - 1 : first.lineno - 1] + lines[first.end_lineno : node.end_lineno]
    return textwrap.dedent("\n".join(kept)).strip()
