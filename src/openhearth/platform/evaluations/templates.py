"""Templates of callers over the columns of a row: Jinja2 in a sandbox, and of that only what ends
soon. Loops are not nested, nothing is defined, called or included, and nothing grows by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from openhearth.errors import UsageError

LONGEST = 100_000  # characters of what is rendered
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
    intercepted_binops = frozenset(["*", "**", "%"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            if not isinstance(value, int | float) or abs(value) > LARGEST:
                raise SecurityError(f"{operator} is for numbers up to {LARGEST}")
        return super().call_binop(context, operator, left, right)


def _environment() -> _Environment:
    # What the optimiser would compute while it compiles is not bounded.
    environment = _Environment(undefined=StrictUndefined, optimized=False, autoescape=False)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


ENVIRONMENT = _environment()


def columns_of(template: str, field: str) -> set[str]:
    """The columns that a template names.

    Raises:
        UsageError: it is no template, or one that is not carried out here.
    """
    try:
        tree = ENVIRONMENT.parse(template)
        names = meta.find_undeclared_variables(tree)
    except (TemplateError, RecursionError) as error:
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
        UsageError: the row lacks a column, or something goes wrong with its values.
    """
    try:
        text = ENVIRONMENT.from_string(template).render(row)
    except Exception as error:  # whatever a filter raises of a value that it is not made for
        raise UsageError(f"The template cannot be filled in: {error}.") from error
    if len(text) > LONGEST:
        raise UsageError(f"The template comes to more than {LONGEST} characters.")
    return text


def _has_loop_inside(loop: nodes.For) -> bool:
    return any(isinstance(node, nodes.For) for node in loop.find_all(nodes.For))
