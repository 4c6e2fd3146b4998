"""From what was noted to a record: what came, and how it ended (rule 28)."""

from __future__ import annotations

import orjson

from openhearth.bench.load.exchange import Exchange
from openhearth.bench.load.wire import Reader
from openhearth.bench.records import Chunk, Failure, Record

EXCERPT = 300  # characters of a server's explanation
STATUSES = {401: Failure.KEY, 403: Failure.KEY, 429: Failure.RATE_LIMIT}
CLASSES = {3: Failure.REDIRECT, 4: Failure.REFUSED, 5: Failure.SERVER}


def record(exchange: Exchange, start: float, key: str) -> Record:
    """The record of an exchange that has ended. Its times count from `start`; `key` is kept out of
    what a server says.
    """
    ask, said = exchange.ask, Reader(exchange.ask.route)
    if exchange.status == 200:
        said = exchange.read()
    failure, detail = ending(exchange, said)

    def since(at: float | None) -> float | None:
        return None if at is None else at - start

    return Record(
        number=ask.number,
        workload=ask.workload,
        route=ask.route,
        request=exchange.request,
        due=exchange.due - start,
        check=ask.check,
        sent=since(exchange.sent),
        connect_s=exchange.connect_s,
        began=since(exchange.began),
        ended=since(exchange.ended),
        status=exchange.status,
        chunks=[Chunk(chunk.at - start, chunk.text, chunk.part) for chunk in said.chunks],
        events=said.events,
        finish=said.finish,
        prompt_tokens=said.prompt_tokens,
        cached_tokens=said.cached_tokens,
        completion_tokens=said.completion_tokens,
        logprobs=said.logprobs,
        seen_model=said.seen_model,
        hung_up=exchange.hung_up,
        failure=failure,
        detail=detail.replace(key, "…") if key else detail,
    )


def ending(exchange: Exchange, said: Reader) -> tuple[Failure | None, str]:
    """How it ended, and the reason in a few words; None if it ended well, or as planned."""
    if exchange.hung_up:
        return None, ""
    if exchange.failure is not None:
        return exchange.failure, exchange.detail
    if exchange.status != 200:
        return _refusal(exchange)
    if said.failure is not None:
        return said.failure, said.detail
    if exchange.ask.route == "embeddings":
        return _vectors(exchange, said)
    if not (said.over or said.finish):
        how = "was over" if exchange.whole else "broke off"
        nothing = exchange.whole and not said.events
        cut = f"the response {how} after {said.events} events, before the answer was over"
        return (Failure.EMPTY, "the response has nothing in it") if nothing else (Failure.CUT, cut)
    if not said.chunks:
        return Failure.EMPTY, "the answer is over and has no content"
    return None, ""


def _vectors(exchange: Exchange, said: Reader) -> tuple[Failure | None, str]:
    texts = exchange.request.get("input")
    asked = 1 if isinstance(texts, str) else len(texts or ())
    if not exchange.whole:
        return Failure.CUT, "the response broke off"
    if said.vectors < asked:
        return Failure.EMPTY, f"{said.vectors} vectors came of {asked}"
    return None, ""


def _refusal(exchange: Exchange) -> tuple[Failure, str]:
    """Of an answer whose status is not 200: its class, and what the server says of it."""
    status = exchange.status
    if status is None:
        return Failure.CONNECTION, "the connection ended in the head of the response"
    body = b"".join(data for _, data in exchange.noted)
    hints = [
        f"{name.decode()}: {exchange.fields[name].decode('latin-1')}"
        for name in HINTS
        if name in exchange.fields
    ]
    text = "; ".join([f"status {status}", *hints, _message(body)])[:EXCERPT]
    return STATUSES.get(status) or CLASSES.get(status // 100, Failure.MALFORMED), text


HINTS = (b"location", b"retry-after")


def _message(body: bytes) -> str:
    """What an error's body says, if it is one of OpenAI's, or its beginning."""
    try:
        error = orjson.loads(body)["error"]
        return str(error["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body[:EXCERPT].decode(errors="replace")
