"""Templates do what Jinja2 does, and nothing that does not end soon."""

from __future__ import annotations

import pytest

from openhearth.errors import UsageError
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
    ],
)
def test_what_goes_wrong_is_an_error_of_the_row(template: str) -> None:
    with pytest.raises(UsageError):
        render(template, {"text": "a", "words": [], "long": "a" * 200_000})
