"""What filling in a template may take: of time, of memory, and of what comes out.

Templates and rows are strangers'. One operation takes no longer than its values are large, which is
bounded; so time is looked at between them, at each turn of a loop, each filter and each comparison.
It is the time that the thread computes, which other threads do not prolong.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.visitor import NodeTransformer

SECONDS = 1.0  # of computing, for one template over one row
LONGEST = 100_000  # characters of what is rendered, and the most that an argument may be
LARGEST = 1_000_000  # characters or items of a value in between
TURN, LOOK, JOIN = "_turn", "_look", "_join"  # filters that no template can name


class _Clock(threading.local):
    until = 0.0  # on the clock of this thread


_clock = _Clock()


def begin() -> None:
    """Let a template take its time from now on, in this thread."""
    _clock.until = time.thread_time() + SECONDS


def look(value: Any = None) -> Any:
    """The value.

    Raises:
        SecurityError: time is up, or the value is too large.
    """
    if time.thread_time() > _clock.until:
        raise SecurityError(f"it takes more than {SECONDS:g} s")
    left, size = [value], 0
    while left:
        one = left.pop()
        if isinstance(one, str | list | tuple | dict):
            size += len(one)
            check_size(size)
        if isinstance(one, list | tuple | dict):
            left += one
        if isinstance(one, dict):
            left += one.values()
    return value


def turns(values: Iterable[Any]) -> Iterator[Any]:
    """What a loop goes over."""
    for value in values:
        look()
        yield value


def join(values: Sequence[Any]) -> str:
    """What `~` comes to."""
    texts = [str(look(value)) for value in values]
    return "".join(look(texts))


def check_size(size: int) -> None:
    """Raises:
    SecurityError: a value would be too large.
    """
    if size > LARGEST:
        raise SecurityError(f"it comes to more than {LARGEST} characters or items in between")


def bounded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that looks at the time, at what it is given and at its result."""
    first = int(hasattr(filter_, "jinja_pass_arg"))  # before which Jinja2 gives it something

    @functools.wraps(filter_)  # with the mark that says so
    def checked(*given: Any, **named: Any) -> Any:
        look(given[first])
        for argument in (*given[first + 1 :], *named.values()):
            _check_argument(argument)
        return look(filter_(*given, **named))

    return checked


def _check_argument(value: Any) -> None:
    """A sum that began with a list would copy it at each step."""
    is_small = isinstance(value, int | float) and abs(value) <= LONGEST
    is_short = isinstance(value, str) and len(value) <= LONGEST
    if not (value is None or is_small or is_short):
        raise SecurityError("an argument of a filter is a short text or a small number")


class Guarded(NodeTransformer):
    """Puts looks at the time, and at sizes, into what Jinja2 compiles of a template."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filtered(node.iter, TURN)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _filtered(node.expr, LOOK)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.node = _filtered(node.node, LOOK)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [
            one if isinstance(one, nodes.TemplateData) else _filtered(one, LOOK)
            for one in node.nodes
        ]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), JOIN)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
