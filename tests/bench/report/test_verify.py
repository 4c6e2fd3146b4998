"""Verification finds whatever was changed, by strangers and by those who sign."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openhearth.bench.recipe import Poisson
from openhearth.bench.records import Chunk, Record, write_records
from openhearth.bench.report.disclosure import FILE, Disclosure, read_disclosure
from openhearth.bench.report.figures import Measurement
from openhearth.bench.report.signature import sign
from openhearth.bench.report.verify import difference, holds, measurement_of, verify
from openhearth.bench.report.write import write
from openhearth.store.artifact import file_digest
from tests.bench import builders


def broken(place: Path, key: str | None = None) -> list[str]:
    """What does not hold."""
    return [check.what for check in verify(place, key) if not check.holds]


def signed_again(place: Path, key: Path, **update: Any) -> None:
    """As a signer would, whatever the files have now."""
    told = read_disclosure(place)
    files = {name: file_digest(place / name) for name in told.files}
    told = told.model_copy(update={"files": files, "signature": None} | update)
    signature = sign(told.signed_bytes, key)
    (place / FILE).write_bytes(told.model_copy(update={"signature": signature}).to_bytes())


def changed(place: Path, key: Path, change: Callable[[list[Record]], Any]) -> None:
    """Records are changed, figures are not, and all is signed."""
    records = deepcopy(list(measurement_of(place).records))
    change(records)
    write_records(place / "records.parquet", records)
    signed_again(place, key)


def made_anew(place: Path, key: Path, change: Callable[[list[Record]], Any], **told: Any) -> None:
    """Records are changed, and figures follow."""
    measurement = measurement_of(place)
    records = deepcopy(list(measurement.records))
    change(records)
    disclosure = measurement.disclosure.model_copy(update=told)
    write(place, replace(measurement, records=records, disclosure=disclosure), key)


MAKERS: list[Callable[[], Measurement]] = [
    builders.a_run, builders.broken_off, builders.a_comparison, builders.a_gated_run,
    builders.a_sweep,
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_what_was_measured_holds(
    make: Callable[[], Measurement], tmp_path: Path, key: Path
) -> None:
    write(tmp_path / "report", make(), key)
    assert broken(tmp_path / "report") == []
    assert holds(verify(tmp_path / "report"))


@pytest.mark.parametrize("name", ["records.parquet", "report.json", "report.html"])
def test_a_changed_byte_of_a_file_is_found(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(data)
    assert broken(copied) == [name]


@pytest.mark.parametrize("name", ["records.parquet", "report.json", "report.html"])
def test_a_missing_file_is_found(copied: Path, name: str) -> None:
    (copied / name).unlink()
    assert broken(copied) == [name]


def test_swapped_files_are_found(copied: Path) -> None:
    one, other = copied / "report.json", copied / "report.html"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    assert broken(copied) == ["report.html", "report.json"]


def test_a_link_in_place_of_a_file_is_refused(copied: Path, tmp_path: Path) -> None:
    target = (copied / "report.json").rename(tmp_path / "elsewhere")
    (copied / "report.json").symlink_to(target)
    assert broken(copied) == ["report.json"]


@pytest.mark.parametrize("name", ["../key", "a/b", "..", ""])
def test_names_that_are_paths_are_refused(copied: Path, key: Path, name: str) -> None:
    (copied.parent / "key").write_text("x")
    told = read_disclosure(copied)
    files = told.files | {name: file_digest(copied.parent / "key")}
    sealed = told.model_copy(update={"files": files, "signature": None})
    signature = sign(sealed.signed_bytes, key)
    (copied / FILE).write_bytes(sealed.model_copy(update={"signature": signature}).to_bytes())
    assert broken(copied) == [name]


def test_files_that_the_disclosure_does_not_name_are_missed(copied: Path, key: Path) -> None:
    told = read_disclosure(copied)
    files = {"report.html": told.files["report.html"]}
    sealed = told.model_copy(update={"files": files, "signature": None})
    signature = sign(sealed.signed_bytes, key)
    (copied / FILE).write_bytes(sealed.model_copy(update={"signature": signature}).to_bytes())
    assert broken(copied) == ["records.parquet", "report.json"]


def test_a_disclosure_of_others_is_not_signed(copied: Path) -> None:
    told = json.loads((copied / FILE).read_bytes())
    told["entries"][0]["system"] = "a faster one"
    (copied / FILE).write_bytes(json.dumps(told).encode())
    assert broken(copied) == ["signature"]


def test_another_key_is_found_by_who_knows_the_right_one(
    copied: Path, key: Path, tmp_path: Path
) -> None:
    right = (read_disclosure(copied).signature or {})["key"]
    assert broken(copied, right) == []
    signed_again(copied, tmp_path / "other.pem")
    assert broken(copied) == []
    assert broken(copied, right) == ["signature"]


def faster_chunk(records: list[Record]) -> None:
    first = records[-1].chunks[0]  # of the window: what comes before it is in no figure
    records[-1].chunks[0] = Chunk(first.at - 0.05, first.text, first.part)


def less_usage(records: list[Record]) -> None:
    for record in records:
        record.completion_tokens = 1
        record.prompt_tokens = 1


def other_text(records: list[Record]) -> None:
    first = records[-1].chunks[0]
    records[-1].chunks[0] = Chunk(first.at, first.text * 50, first.part)


def no_failure(records: list[Record]) -> None:
    records[-1].chunks = []


@pytest.mark.parametrize("change", [faster_chunk, other_text, no_failure])
def test_changed_answers_are_not_what_the_figures_say(
    copied: Path, key: Path, change: Callable[[list[Record]], None]
) -> None:
    changed(copied, key, change)
    assert broken(copied) == ["figures"]


def test_changed_usage_is_another_price_of_a_service(tmp_path: Path, key: Path) -> None:
    made = builders.session(builders.TINY, sheets=(builders.LISTED,))
    made.point("ranked")
    place = tmp_path / "report"
    write(place, builders.measurement(made), key)
    changed(place, key, less_usage)
    assert broken(place) == ["figures"]


def test_a_changed_figure_is_found(copied: Path, key: Path) -> None:
    told = json.loads((copied / "report.json").read_bytes())
    told["points"][0]["answers"]["rates"]["goodput"] *= 1.001
    (copied / "report.json").write_bytes(json.dumps(told).encode())
    signed_again(copied, key)
    assert broken(copied) == ["figures"]
    (copied / "report.json").write_bytes(b"[]")
    signed_again(copied, key)
    assert broken(copied) == ["figures"]


def softer_prompt(records: list[Record]) -> None:
    records[3].request["messages"][-1]["content"] = "Say yes."


def fewer_tokens(records: list[Record]) -> None:
    records[3].request["max_tokens"] = 1


def removed(records: list[Record]) -> None:
    del records[5]


def doubled(records: list[Record]) -> None:
    records[5] = deepcopy(records[4])


def later(records: list[Record]) -> None:
    records[5].due += 0.01


def given_up(records: list[Record]) -> None:
    next(record for record in records if not record.hung_up).hung_up = True


def other_workload(records: list[Record]) -> None:
    records[5].workload = "summary"


@pytest.mark.parametrize(
    "change", [softer_prompt, fewer_tokens, removed, doubled, later, given_up, other_workload]
)
def test_requests_that_the_seed_does_not_make_are_found(
    copied: Path, key: Path, change: Callable[[list[Record]], None]
) -> None:
    made_anew(copied, key, change)
    assert broken(copied) == ["requests of point 1"]


def test_a_record_of_no_point_is_found(copied: Path, key: Path) -> None:
    def strays(records: list[Record]) -> None:
        records.append(replace(records[0], point=7))

    made_anew(copied, key, strays)
    assert broken(copied) == ["records"]


def nothing(records: list[Record]) -> None:
    pass


def points(place: Path, **update: Any) -> tuple[Any, ...]:
    return tuple(point.model_copy(update=update) for point in read_disclosure(place).points)


def test_a_seed_of_choice_is_found(copied: Path, key: Path) -> None:
    made_anew(copied, key, nothing, seed=12)
    assert broken(copied) == ["seeds"]
    made_anew(copied, key, nothing, seed=11, beacon="the number of a day")
    assert broken(copied) == ["seeds"]


def test_another_load_than_the_recipe_s_is_found(copied: Path, key: Path) -> None:
    made_anew(copied, key, nothing, points=points(copied, load=Poisson(rate=0.5)))
    assert "loads" in broken(copied)


def test_fewer_requests_than_were_due_are_found(copied: Path, key: Path) -> None:
    count = read_disclosure(copied).points[0].asks - 1
    made_anew(copied, key, removed, points=points(copied, asks=count))
    assert broken(copied) == ["requests of point 1"]


def test_a_later_turn_is_due_after_the_one_before(tmp_path: Path, key: Path) -> None:
    recipe = builders.TINY.model_copy(update={"workloads": {"agent": 1}})
    made = builders.session(recipe, [builders.Server(workers=8)])
    made.point("ranked")
    place = tmp_path / "report"
    write(place, builders.measurement(made), key)
    before = measurement_of(place).records
    turn = next(n for n, r in enumerate(before) if n and r.due > (before[n - 1].ended or 0))

    def wait(records: list[Record]) -> None:
        records[turn].due += 5

    made_anew(place, key, wait)
    assert broken(place) == ["requests of point 1"]


def test_records_that_make_no_sense_are_told_so(copied: Path, key: Path) -> None:
    def mad(records: list[Record]) -> None:
        records[0].request = []  # type: ignore[assignment]

    changed(copied, key, mad)
    assert broken(copied) != []
    (copied / "records.parquet").write_bytes(b"PAR1")
    signed_again(copied, key)
    assert broken(copied) == ["records"]


def test_a_trace_of_this_machine_is_not_told(copied: Path, key: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:x:0")
    recipe = read_disclosure(copied).recipe
    load = {"arrivals": "trace", "file": str(secret)}
    traced = type(recipe).model_validate(recipe.model_dump(mode="json") | {"load": load})
    made_anew(copied, key, nothing, recipe=traced, points=points(copied, load=traced.load))
    found = [check for check in verify(copied) if check.what == "requests of point 1"]
    assert found[0].holds is None
    assert "root" not in found[0].detail


def test_the_last_digits_may_differ() -> None:
    assert difference({"a": [1.0, None]}, {"a": [1.0 + 1e-9, None]}) is None
    assert difference({"a": [1.0, {"b": 2}]}, {"a": [1.0, {"b": 3}]}) == "report.a[1].b"
    assert difference({"a": 1}, {"b": 1}) == "report"
    assert difference([1], [1, 2]) == "report"
    assert difference("x", 1) == "report"


def test_disclosures_of_the_builder_are_whole() -> None:
    told = builders.a_run().disclosure
    assert Disclosure.model_validate_json(told.to_bytes()) == told


def test_loads_of_absurd_size_are_not_made_again(copied: Path, key: Path) -> None:
    load = Poisson(rate=1e300)
    recipe = read_disclosure(copied).recipe.model_copy(update={"load": load})
    made_anew(copied, key, nothing, recipe=recipe, points=points(copied, load=load))
    found = {check.what: check for check in verify(copied)}
    assert found["requests"].holds is None
    assert "requests of point 1" not in found
