"""The step that masks personal data."""

from __future__ import annotations

import json

import pyarrow as pa

from openhearth.data.funnel import funnel
from openhearth.data.schema import Quarantine, document, to_batch
from openhearth.data.select import Mask
from openhearth.data.tally import Tally

TEXTS = [
    "nothing",
    "jo@b.org and jim@b.org\nfrom 10.0.0.1, 555-123-4567",
    " ".join(f"jo{i}@b.org" for i in range(5)),
    " ".join(f"jo{i}@b.org" for i in range(6)),
]


def batch() -> pa.RecordBatch:
    rows = [document(f"d{i}", text, "s", kept=i) for i, text in enumerate(TEXTS)]
    return to_batch(rows, Quarantine())


def test_few_finds_are_masked_and_many_end_the_document() -> None:
    tally = Tally()
    made = Mask()(batch(), tally).to_pylist()
    assert [row["id"] for row in made] == ["d0", "d1", "d2"]
    assert made[0]["text"] == "nothing"
    assert made[1]["text"] == (
        "|||EMAIL_ADDRESS||| and |||EMAIL_ADDRESS|||\nfrom |||IP_ADDRESS|||, |||PHONE_NUMBER|||"
    )
    assert json.loads(made[1]["metadata"]) == {"kept": 1}
    assert tally.counts["documents masked"] == 2
    assert tally.counts["masked:EMAIL_ADDRESS"] == 7
    assert tally.counts["masked:PHONE_NUMBER"] == 1
    (row,) = funnel(tally, ["personal data"], tally.counts["seen"])
    assert (row["removed"], row["kept"], row["examples"][0]["value"]) == (1, 3, 6)


def test_spans_say_where_it_was() -> None:
    made = Mask(most=100, spans=True)(batch(), Tally()).to_pylist()
    assert json.loads(made[0]["metadata"]) == {"kept": 0}
    for text, row in zip(TEXTS[1:], made[1:], strict=True):
        spans = json.loads(row["metadata"])["pii"]
        assert row["text"].count("|||") == 2 * len(spans)
        assert all(text[begin:end] in ("10.0.0.1", "555-123-4567") or "@" in text[begin:end]
                   for begin, end, _ in spans)  # fmt: skip


def test_the_turns_of_a_conversation_are_masked_too() -> None:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "jo@b.org"}]
    rows = [document("d", "jo@b.org\n\n?", "s", messages=turns), document("e", "a@b.org", "s")]
    made = Mask()(to_batch(rows, Quarantine()), Tally()).to_pylist()
    assert "jo@b.org" not in str(made)
    assert json.loads(made[0]["metadata"])["messages"][1]["content"] == "|||EMAIL_ADDRESS|||"
    assert json.loads(made[1]["metadata"]) == {}


def test_a_batch_without_finds_stays_as_it_is() -> None:
    plain = batch().slice(0, 1)
    assert Mask()(plain, Tally()).equals(plain)
    assert Mask()(plain.slice(0, 0), Tally()).num_rows == 0
