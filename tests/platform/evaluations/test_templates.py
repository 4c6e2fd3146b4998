"""Templates do what Jinja2 does, and nothing that does not end soon."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from openhearth.errors import UsageError
from openhearth.platform.evaluations import bounds
from openhearth.platform.evaluations.templates import columns_of, render


def test_columns_filters_conditions_and_loops() -> None:
    template = "{% for w in words %}{{ w | upper }} {% endfor %}{{ 'yes' if good else 'no' }}"
    assert columns_of(template, "t") == {"words", "good"}
    assert render(template, {"words": ["a", "b"], "good": 0}) == "A B no"


@pytest.mark.parametrize(
    "template",
    [
        "{{ a",
        "{% for a in b %}{% for c in d %}{% endfor %}{% endfor %}",
        "{% for a in b recursive %}{{ loop(a) }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{% block a %}{{ self.b() }}{{ self.b() }}{% endblock %}{% block b %}{% endblock %}",
        "{{ 'a'.ljust(3000000000) }}",
        "{% set a = a ~ a %}",
        "{% set a %}{{ a }}{% endset %}",
        "{{ a | center(3000000000) }}",
        "{{ a | replace('', a) }}",
    ],
)
def test_what_is_not_carried_out_is_refused(template: str) -> None:
    with pytest.raises(UsageError):
        columns_of(template, "t")


@pytest.mark.parametrize(
    "template",
    [
        "{{ missing }}",
        "{{ text.__class__.__mro__ }}",
        "{{ text * 1000 }}",
        "{{ 10 ** 1000000 }}",
        "{{ '%1000000d' % 1 }}",
        "{{ words.append(1) }}",
        "{{ text.nothing() }}",
        "{{ long }}",
        "{{ 1 // 0 }}",
        "{% for i in range(9) %}{% endfor %}",
        "{{ lipsum() }}",
        "{{ 1.5 | round(100000000, 'floor') }}",
        "{{ [[]] | sum(start=[]) }}",
    ],
)
def test_what_goes_wrong_is_an_error_of_the_row(template: str) -> None:
    with pytest.raises(UsageError):
        render(template, {"text": "a", "words": [], "long": "a" * 200_000})


MANY = list(range(30_000))
LONG = "x" * 200_000


@pytest.mark.parametrize(
    ("template", "row"),
    [
        # Each turn looks at everything: minutes, if nobody looked at the time.
        ("{% for a in many %}{{ 'x' if many | sum < 0 }}{% endfor %}", {"many": MANY}),
        ("{% for a in many %}{% if -1 in many %}x{% endif %}{% endfor %}", {"many": MANY}),
        ("{% for a in many %}{% if 'x' is in many %}x{% endif %}{% endfor %}", {"many": MANY}),
        ("{% for a in many if many | sort | length < 0 %}{% endfor %}", {"many": MANY}),
        ("{{ many" + " | sort | reverse | list" * 50 + " }}", {"many": ["1"] * 40_000}),
        # Gigabytes, if nobody looked at sizes.
        ("{{ (" + "t ~ " * 8000 + "t) | length }}", {"t": LONG}),
        ("{{ (" + "t + " * 40 + "t) | length }}", {"t": LONG}),
        ("{{ [" + "t, " * 10_000 + "t] | string | length }}", {"t": LONG}),
        ("{{ [" + "t, " * 10_000 + "t] }}", {"t": LONG}),
        ("{{ t" + " | e | title" * 20 + " | length }}", {"t": "<" * 100_000}),
        ("{% for a in many %}{{ t }}{% endfor %}", {"many": MANY, "t": "x" * 10_000}),
        ("{{ t | truncate(10) }}", {"t": "x" * 300_000}),
    ],
)
def test_what_would_take_long_or_much_is_cut_short(
    monkeypatch: pytest.MonkeyPatch, template: str, row: dict[str, Any]
) -> None:
    monkeypatch.setattr(bounds, "SECONDS", 0.2)
    columns_of(template, "t")
    with pytest.raises(UsageError, match=r"takes more than|comes to more than|more than .* bytes"):
        render(template, row)


@pytest.mark.parametrize(
    "template", ["{{ " + "t + " * 8000 + "t }}", "{{ t" + " | e" * 8000 + " }}"]
)
def test_what_is_nested_deeply_is_refused_at_once(template: str) -> None:
    with pytest.raises(UsageError, match="no template"):
        columns_of(template, "t")


def test_columns_that_no_template_names_may_be_large() -> None:
    assert render("{{ a }}", {"a": "b", "other": "x" * 10_000_000}) == "b"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for a in l %}{{ loop.index }}/{{ loop.length }}{{ a }} {% endfor %}", "1/2x 2/2y "),
        ("{% for k, v in pairs if v > 1 %}{{ k ~ v }}{% else %}none{% endfor %}", "b2"),
        ("{{ l | sort(reverse=true) | first ~ '!' }}", "y!"),
        ("{{ 'yes' if 1 < 2 < 3 and 'x' in l else 'no' }}", "yes"),
        ("{{ l | default([]) | length + 1 }}", "3"),
        ("{{ [1, 2.5] | sum | round(1) }} {{ l is defined }}", "3.5 True"),
        ("{{ text | truncate(5, true, '') | upper }}", "HELLO"),
    ],
)
def test_it_says_what_jinja2_says(template: str, text: str) -> None:
    row = {"l": ["x", "y"], "pairs": [["a", 1], ["b", 2]], "text": "hello world"}
    columns_of(template, "t")
    assert render(template, row) == text
    plain = jinja2.Environment(autoescape=False).from_string(template)
    assert plain.render(row) == text
