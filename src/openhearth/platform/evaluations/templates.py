"""Templates of callers over the columns of a row: Jinja2 in a sandbox, and of that only what ends
soon. Loops are not nested, nothing is defined, called or included, and nothing grows by itself; of
what is left `bounds` says how much there may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.meta import TrackingCodeGenerator
from jinja2.sandbox import ImmutableSandboxedEnvironment

from openhearth.errors import UsageError
from openhearth.platform.evaluations import bounds
from openhearth.platform.evaluations.bounds import LONGEST

MOST_BYTES = 250_000  # of the columns that a template names
LARGEST = 10_000  # numbers that may be multiplied
REFUSED = (
    nodes.Macro,
    nodes.CallBlock,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
    nodes.Call,
    nodes.Assign,
    nodes.AssignBlock,
)
# Those whose result is not much larger than what they are given.
FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "last"),
    *("length", "list", "lower", "max", "min", "reverse", "round", "sort", "string", "striptags"),
    *("sum", "title", "trim", "truncate", "unique", "upper", "wordcount"),
)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        bounds.look([left, right])
        for value in (left, right) if operator != "+" else ():
            if not isinstance(value, int | float) or abs(value) > LARGEST:
                raise SecurityError(f"{operator} is for numbers up to {LARGEST}")
        return super().call_binop(context, operator, left, right)

    def _generate(self, source: nodes.Template, *more: Any, **options: Any) -> str:
        return super()._generate(bounds.Guarded().visit(source), *more, **options)


def _environment() -> _Environment:
    # What the optimiser would compute while it compiles is not bounded.
    environment = _Environment(undefined=StrictUndefined, optimized=False, autoescape=False)
    environment.globals.clear()
    known = environment.filters
    environment.filters = {name: bounds.bounded(known[name]) for name in FILTERS}
    environment.filters |= {name: known[name] for name in ("d", "default")}  # which compute nothing
    environment.filters |= {bounds.TURN: bounds.turns, bounds.LOOK: bounds.look}
    environment.filters |= {bounds.JOIN: bounds.join}
    return environment


ENVIRONMENT = _environment()


def columns_of(template: str, field: str) -> frozenset[str]:
    """The columns that a template names.

    Raises:
        UsageError: it is no template, or one that is not carried out here.
    """
    try:
        tree = ENVIRONMENT.parse(template)
        _, names = _compiled(template)
    except (TemplateError, RecursionError, SyntaxError) as error:
        raise UsageError(
            f"{field} is no template ({error}): see Jinja2's documentation."
        ) from error
    loops = list(tree.find_all(nodes.For))
    nested = any(loop.recursive or _has_loop_inside(loop) for loop in loops)
    if nested or next(tree.find_all(REFUSED), None) is not None:
        raise UsageError(
            f"{field} nests loops, or defines, calls or includes something: use columns, filters, "
            "conditions and plain loops."
        )
    for one in tree.find_all(nodes.Filter):
        if one.name not in FILTERS:
            raise UsageError(f"{field} has the filter {one.name}: use of {', '.join(FILTERS)}.")
    return names


def render(template: str, row: Mapping[str, Any]) -> str:
    """A template that `columns_of` let pass, over a row.

    Raises:
        UsageError: the row lacks a column, something goes wrong with its values, or it takes too
            much.
    """
    try:
        compiled, names = _compiled(template)
        columns = {name: row[name] for name in names if name in row}
        if len(orjson.dumps(columns)) > MOST_BYTES:
            raise SecurityError(f"its columns have more than {MOST_BYTES} bytes")
        return _rendered(compiled, columns)
    except Exception as error:  # whatever a filter raises of a value that it is not made for
        raise UsageError(f"The template cannot be filled in: {error}.") from error


@lru_cache(maxsize=16)  # an evaluation has six at most
def _compiled(template: str) -> tuple[Template, frozenset[str]]:
    """What carries a template out, and the columns that it names."""
    tracking = TrackingCodeGenerator(ENVIRONMENT)
    tracking.optimizer = None  # whose time grows with the cube of what is nested
    tracking.visit(ENVIRONMENT.parse(template))
    return ENVIRONMENT.from_string(template), frozenset(tracking.undeclared_identifiers)


def _rendered(template: Template, columns: Mapping[str, Any]) -> str:
    bounds.begin()
    pieces, length = [], 0
    for piece in template.generate(columns):
        pieces.append(piece)
        length += len(piece)
        if length > LONGEST:
            raise SecurityError(f"it comes to more than {LONGEST} characters")
    return "".join(pieces)


def _has_loop_inside(loop: nodes.For) -> bool:
    return any(isinstance(node, nodes.For) for node in loop.find_all(nodes.For))
