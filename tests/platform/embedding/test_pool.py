"""A bounded pool of its own: it refuses what would wait too long, and holds up nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import httpx
import numpy as np
import pytest

from openhearth.inference.request import EngineBusy
from openhearth.platform import create_app
from openhearth.platform.embedding import Pool
from tests.platform.conftest import FakeEmbedder, running

EMBED = {"model": "vectors", "input": "Hi"}
RANK = {"model": "vectors", "query": "Hi", "documents": ["Ho"]}


def test_what_is_beyond_the_queue_is_refused_and_who_leaves_it_makes_room() -> None:
    async def main() -> None:
        pool, go = Pool(threads=1, waiting=1), threading.Event()
        first, second = (asyncio.create_task(pool.run(go.wait)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await pool.run(go.wait)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        third = asyncio.create_task(pool.run(go.wait))
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(first, third) == [True, True]

    asyncio.run(main())


def test_work_knows_its_request_and_its_errors_come_back() -> None:
    known: ContextVar[str] = ContextVar("known")

    async def main() -> None:
        pool = Pool(threads=1, waiting=0)
        known.set("req-1")
        assert await pool.run(known.get) == "req-1"
        for _ in range(3):  # none of which keeps its place
            with pytest.raises(ZeroDivisionError):
                await pool.run(divmod, 1, 0)

    asyncio.run(main())


class Stuck(FakeEmbedder):
    """Embeds only when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def embed(self, model: str, texts: Sequence[Sequence[int]]) -> np.ndarray:
        assert self.go.wait(60)
        return super().embed(model, texts)


def test_a_full_pool_is_a_503_and_all_else_goes_on(
    engine: Any, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openhearth.platform.embedding.Pool", lambda: Pool(1, 1))
    headers = {"authorization": f"Bearer {keys.create('test')}"}
    embedder = Stuck()

    async def ask(url: str) -> list[int]:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
            asked = [client.post("/v1/rerank", json=RANK) for _ in range(2)]
            asked.append(client.post("/v1/embeddings", json=EMBED))
            tasks = [asyncio.create_task(reply) for reply in asked]
            # One works, one waits: whichever comes third is answered, and it alone.
            done, working = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            (refused,) = (task.result() for task in done)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["error"]["code"] == "server_overloaded"
            assert (await client.get("/v1/models")).status_code == 200
            embedder.go.set()
            return [(await reply).status_code for reply in working]

    with running(create_app(engine, keys, embedder=embedder)) as url:
        assert asyncio.run(ask(url)) == [200, 200]
        assert httpx.post(f"{url}/v1/embeddings", json=EMBED, headers=headers).status_code == 200
