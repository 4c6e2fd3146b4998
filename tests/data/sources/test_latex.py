"""Papers in LaTeX: one clean text from many files, and no archive or macro that does harm."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.schema import Quarantine
from openhearth.data.sources import latex, read, tex
from tests.data.sources.conftest import Held

MAIN = r"""\documentclass{article} % class
\usepackage[latin1]{inputenc}
\newcommand{\eps}{\varepsilon}
\providecommand*\R{\mathbb{R}}
\def\be{\begin{equation}}\def\ee{\end{equation}}
\newcommand{\twice}[1]{#1#1}
\def\loop{x\loop}
\input{macros}
\title[Short]{A {Nice} % really
Title}
\begin{document}
\begin{abstract}Gone.\end{abstract}
% \section{Old}
\section*{Introduction}\label{s} 5\% of $\eps\in\R^n$ \url{a/%20c} \\% comment
  % only a comment
\be a=\three\ee \epsilon \loop
\begin{verbatim}
% kept
\end{verbatim}
\begin{comment}
dropped
\end{comment}
\include{sections/two}
\input{missing} \input{../../etc/passwd}
\bibliographystyle{plain}
\begin{thebibliography}{9} \bibitem{a} A.
\end{thebibliography}
\appendix
More.
\end{document}
"""
FILES = {
    "macros.tex": "\\newcommand{\\three}{\\twice{\\eps}}\n",
    "main.tex": MAIN,
    "sections/two.tex": "\\section{Two}\nText. %c\n\n\\input sections/self.tex",
    "sections/self.tex": "Self \\input{sections/self}.",
}
# Written by hand by the rules of RedPajama-V1, with includes in their places.
CLEAN = r"""\section*{Introduction}\label{s} 5\% of $\varepsilon\in\mathbb{R}^n$ \url{a/%20c} \\
\begin{equation} a=\twice{\varepsilon}\end{equation} \epsilon \loop
\begin{verbatim}
% kept
\end{verbatim}
\section{Two}
Text.

Self \input{sections/self}.
\input{missing} \input{../../etc/passwd}
\bibliographystyle{plain}"""


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def encoded(files: dict[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in files.items()}


def papers(data: bytes, name: str = "x.tar") -> tuple[list[dict[str, Any]], Quarantine]:
    aside = Quarantine()
    blocks = latex.read(Held(name, name, len(data), "", data), aside)
    return [row for block in blocks for row in block.batch(aside).to_pylist()], aside


def test_a_paper_is_one_clean_text() -> None:
    assert tex.clean(FILES) == CLEAN
    assert tex.title(FILES) == "A {Nice} Title"
    figures = {"fig.eps.gz": b"\x1f\x8b", "main.bbl": b"\\section{No}"}
    packed = gzip.compress(tar(encoded(FILES) | figures))
    (row,), aside = papers(packed, "src/2301.00001v2.tar.gz")
    assert (row["text"], row["id"], row["source"]) == (CLEAN, "src/2301.00001v2", "src")
    assert row["url"] == "https://arxiv.org/abs/2301.00001v2"
    assert json.loads(row["metadata"]) == {"title": "A {Nice} Title"}
    assert aside.total == 0


def test_a_tape_holds_many_papers() -> None:
    tape = {
        "2301/2301.00001.gz": gzip.compress(tar(encoded(FILES))),
        "2301/hep-th9901002.gz": gzip.compress("\\section{Eins} Müller".encode()),
        "2301/2301.00003.gz": gzip.compress(b"no heading"),
        "2301/2301.00004.gz": gzip.compress(b"\\section{Cut}" * 99)[:-20],
        "2301/2301.00005.pdf": b"%PDF",
    }
    rows, aside = papers(tar(tape), "arXiv_src_2301_001.tar")
    assert [(row["id"], row["text"][:13]) for row in rows] == [
        ("2301.00001", "\\section*{Int"),
        ("hep-th9901002", "\\section{Eins"),
    ]
    assert rows[1]["url"] == "https://arxiv.org/abs/hep-th/9901002"
    assert aside.counts["a paper without a heading"] == 1
    assert aside.total == 2


def test_single_files_are_found_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "one.tex").write_text("\\chapter{One}\nText.")
    (tmp_path / "old.tex.gz").write_bytes(
        gzip.compress(b"\\usepackage[latin1]{inputenc}\\section{Caf\xe9}")
    )
    (tmp_path / "bad.tex").write_bytes(b"\\section{Caf\xe9}")
    corpus = read(str(tmp_path))
    rows = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert [row["text"] for row in rows] == ["\\section{Café}", "\\chapter{One}\nText."]
    assert corpus.quarantine.counts == {"not UTF-8, nor what it says": 1}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"a.tex": "\\section{A} \\input{b}", "b.tex": "\\section{B}"},
            "\\section{A} \\section{B}",
        ),
        ({"a.tex": "\\section{A}", "b.tex": "\\section{B}"}, "\\section{A}\n\n\\section{B}"),
        ({"a.tex": "\\input{b}", "b.tex": "\\input{a}"}, ""),
        ({"d/a.tex": "\\section{A}\\input{x/b}", "d/x/b.tex": "b"}, "\\section{A}b"),
        (
            {"a.tex": "\\section{A}\\includegraphics{b}", "b.tex": "b"},
            "\\section{A}\\includegraphics{b}\n",
        ),
        ({"a.tex": "\\def\\a{1}\\def\\a{2}\\section{A}\\a\\ab"}, "\\section{A}2\\ab"),
        ({"a.tex": "\\def\\a#1{1}\\section{A}\\a"}, "\\section{A}\\a"),
    ],
)
def test_files_and_macros(files: dict[str, str], expected: str) -> None:
    assert tex.clean(files).strip() == expected.strip()


def test_nothing_multiplies_without_end() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    macros = "".join(f"\\def\\{a}{{" + f"\\{b}" * 4 + "}\n" for a, b in pairwise(letters))
    long = f"{macros}\\def\\z{{{'x' * 900}}}\\section{{A}}"
    assert tex.clean({"main.tex": f"{long}\\a"}).count("x") < 10_000
    with pytest.raises(ValueError, match="more than 64 Mi characters"):
        tex.clean({"main.tex": long + "\\z" * 100_000})
    bomb = {f"{a}.tex": f"\\input{{{b}}}" * 50 for a, b in pairwise(letters[:9])}
    rows, aside = papers(tar(encoded(bomb | {"m.tex": "\\documentclass\\section{A}\\input{a}"})))
    assert (len(rows), aside.total) == (0, 1)
    zeros = gzip.compress(tar({"main.tex": bytes(80 << 20)}))
    assert papers(zeros, "x.tar.gz")[1].counts == {
        "cannot be read further (a paper larger than 64 MiB)": 1
    }


SAMPLE = tar(encoded(FILES))


@settings(deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.binary(max_size=9)), max_size=6),
    junk=st.binary(max_size=100),
)
def test_no_bytes_end_the_reading(edits: list[tuple[int, bytes]], junk: bytes) -> None:
    data = bytearray(SAMPLE)
    for place, change in edits:
        data[place : place + len(change)] = change
    for packed in (bytes(data), junk, tar({"1234.56789.gz": junk}), tar({"a.tex": junk})):
        rows, aside = papers(packed)
        assert len(rows) + aside.total <= 2


MARKS = [
    *"\\{}[]%#ab \n",
    "\\def\\a{",
    "\\newcommand{\\b}{",
    "\\section{",
    "\\input{a}",
    "\\a",
    "\\b",
]


@settings(deadline=None)
@given(marks=st.lists(st.sampled_from(MARKS), max_size=60), times=st.integers(1, 100))
def test_no_source_ends_or_stalls_the_cleaning(marks: list[str], times: int) -> None:
    source = "".join(marks) * times
    assert tex.clean({"a.tex": "\\section{A}" + source}).startswith("\\section{A")
