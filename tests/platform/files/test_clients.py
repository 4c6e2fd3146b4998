"""Files through the official clients, which do not know that they speak with us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import together

from tests.platform.area import Served
from tests.platform.files.conftest import EXAMPLE


@pytest.fixture
def tog(server: Served) -> Iterator[together.Together]:
    with together.Together(base_url=server.url, api_key=server.key, max_retries=0) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(EXAMPLE * 3)
    return path


def test_openai(oai: openai.OpenAI, path: Path) -> None:
    made = oai.files.create(file=path, purpose="fine-tune")
    assert (made.filename, made.bytes, made.status) == ("mine.jsonl", len(EXAMPLE) * 3, "processed")
    other = oai.files.create(file=("more.txt", b"more"), purpose="user_data")
    assert oai.files.retrieve(made.id) == made
    assert [file.id for file in oai.files.list(limit=1)] == [other.id, made.id]
    assert [file.id for file in oai.files.list(purpose="fine-tune")] == [made.id]
    assert oai.files.content(made.id).read() == EXAMPLE * 3
    assert oai.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match="There is no file"):
        oai.files.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match=r"Line 2 of a\.jsonl is not JSON"):
        oai.files.create(file=("a.jsonl", EXAMPLE + b"{"), purpose="fine-tune")


def test_together(tog: together.Together, path: Path) -> None:
    made = tog.files.upload(path, purpose="fine-tune")
    assert (made.filename, made.bytes, made.file_type) == ("mine.jsonl", len(EXAMPLE) * 3, "jsonl")
    assert made.processing_status == "COMPLETED"
    assert tog.files.upload(path, purpose="fine-tune").id == made.id  # it has been sent before
    assert tog.files.retrieve(made.id).purpose == "fine-tune"
    assert [file.id for file in tog.files.list().data] == [made.id]
    assert tog.files.content(made.id).read() == EXAMPLE * 3
    assert tog.files.delete(made.id).deleted
    with pytest.raises(together.NotFoundError):
        tog.files.retrieve(made.id)
    path.write_bytes(EXAMPLE + b"{\n")
    with pytest.raises(together.APIStatusError, match=r"Line 2 of mine\.jsonl"):
        tog.files.upload(path, purpose="fine-tune", check=False)


def test_the_asynchronous_clients(server: Served, path: Path) -> None:
    async def main() -> None:
        async with together.AsyncTogether(base_url=server.url, api_key=server.key) as tog:
            made = await tog.files.upload(path, purpose="fine-tune")
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key) as oai:
            assert [file.id async for file in oai.files.list()] == [made.id]

    asyncio.run(main())
