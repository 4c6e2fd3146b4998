"""Responses in the database, on both kinds."""

from __future__ import annotations

import asyncio

import pytest

from openhearth.platform.database import Database
from openhearth.platform.errors import ApiError
from openhearth.platform.responses.asked import ResponsesRequest
from openhearth.platform.responses.items import Turn
from openhearth.platform.responses.kept import KeptResponses
from openhearth.platform.responses.reply import OutputMessage, OutputText, ResponseReply

ODD = "nothing \0 nor \U0001f525 is lost"


def reply(said: str, previous: str | None = None) -> ResponseReply:
    body = ResponsesRequest(model="tiny", input="?", previous_response_id=previous)
    made = ResponseReply.begun(body)
    made.output = [OutputMessage(id="msg_1", content=[OutputText(text=said)])]
    return made


def test_what_was_said_comes_back_as_it_was(database: Database) -> None:
    kept = KeptResponses(database)
    first = reply("one")
    second = reply(ODD, first.id)

    async def all_of_it() -> list[str]:
        await kept.keep("mine", [Turn(role="user", content="1")], first)
        await kept.keep("mine", [Turn(role="user", content=ODD)], second)
        assert await kept.get("mine", second.id) == second.model_dump(mode="json")
        items = await kept.conversation("mine", second.id)
        return [item.content[0].text for item in items]

    assert asyncio.run(all_of_it()) == ["1", "one", ODD, ODD]
    assert asyncio.run(kept.conversation("mine", None)) == []


@pytest.mark.parametrize("name", ["resp_unknown", "\0", "ü", "x" * 500])
def test_what_is_not_there_is_a_404(name: str, database: Database) -> None:
    kept = KeptResponses(database)
    for method in (kept.get, kept.delete, kept.input_items):
        with pytest.raises(ApiError) as error:
            asyncio.run(method("mine", name))
        assert error.value.status == 404


def test_one_project_does_not_delete_what_is_another_s(database: Database) -> None:
    kept, made = KeptResponses(database), reply("one")
    asyncio.run(kept.keep("mine", [], made))
    with pytest.raises(ApiError):
        asyncio.run(kept.delete("theirs", made.id))
    asyncio.run(kept.delete("mine", made.id))
    with pytest.raises(ApiError):
        asyncio.run(kept.get("mine", made.id))
