"""`hearth chat` and `hearth run`: a model in this terminal, without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from openhearth.cli.engine_options import engine_options
from openhearth.cli.frame import emit, say
from openhearth.errors import NotFound, UsageError

if TYPE_CHECKING:
    from openhearth.data import Tokenizer
    from openhearth.inference import Engine, Sampling
    from openhearth.store import Store

MAX_TOKENS = click.option("--max-tokens", default=256, show_default=True, help="Longest answer.")
TEMPERATURE = click.option(
    "--temperature", default=0.7, show_default=True, help="0 is always the likeliest."
)
SEED = click.option("--seed", type=int, help="The same seed gives the same answer.")
SYSTEM = click.option("--system", help="What to tell the model first.")
Messages = list[dict[str, str]]


@click.command()
@click.argument("model", required=False)
@MAX_TOKENS
@TEMPERATURE
@SEED
@SYSTEM
@engine_options
def chat(
    model: str | None,
    max_tokens: int,
    temperature: float,
    seed: int | None,
    system: str | None,
    **settings: Any,
) -> None:
    """Talk to MODEL (else to the adapter or model that came last).

    /clear forgets the conversation, /exit or Ctrl-D ends, Ctrl-C stops an answer.
    """
    from openhearth.inference import Engine, Sampling
    from openhearth.store import Store

    store = Store()
    name = model or _latest(store)
    sampling = Sampling(max_tokens=max_tokens, temperature=temperature, seed=seed)
    say(f"Loading {name} …")
    with Engine.open(store, [name], **settings) as engine:
        say(f"{name} is listening. /clear forgets, /exit or Ctrl-D ends.")
        _converse(engine, name, sampling, system)


def _converse(engine: Engine, name: str, sampling: Sampling, system: str | None) -> None:
    messages = _opening(system)
    while (line := _ask()) is not None:
        if line == "/exit":
            return
        if line == "/clear":
            messages = _opening(system)
            continue
        if not line:
            continue
        messages.append({"role": "user", "content": line})
        answer = ""
        try:
            for text in _answer(engine, name, messages, sampling):
                click.echo(text, nl=False)
                answer += text
        except KeyboardInterrupt:
            click.echo(" …", nl=False)
        click.echo()
        messages.append({"role": "assistant", "content": answer})


@click.command()
@click.argument("model")
@click.argument("prompt")
@MAX_TOKENS
@TEMPERATURE
@SEED
@SYSTEM
@engine_options
def run(
    model: str,
    prompt: str,
    max_tokens: int,
    temperature: float,
    seed: int | None,
    system: str | None,
    **settings: Any,
) -> None:
    """Print MODEL's answer to PROMPT; `-` reads the prompt from standard input.

    A model without a chat template continues the prompt.
    """
    from openhearth.inference import Engine, Sampling
    from openhearth.store import Store

    text = sys.stdin.read() if prompt == "-" else prompt
    if not text.strip():
        raise UsageError("The prompt is empty: write something to answer.")
    sampling = Sampling(max_tokens=max_tokens, temperature=temperature, seed=seed)
    with Engine.open(Store(), [model], **settings) as engine:
        asked = _framed(engine.tokenizer(model), text, system)
        answer = engine.generate(asked, model=model, **asdict(sampling))
    told = {
        "model": model,
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "usage": asdict(answer.usage) if answer.usage else None,
        "timings": asdict(answer.timings) if answer.timings else None,
    }
    emit(told, answer.text)


def _framed(tokenizer: Tokenizer, text: str, system: str | None) -> str | Messages:
    """A conversation for the model's template; the text as it is where there is none."""
    if tokenizer.chat_template:
        return [*_opening(system), {"role": "user", "content": text}]
    if system:
        raise UsageError(
            "This model has no chat template, so it only continues text: leave out --system, or "
            "use a model tuned for chat."
        )
    return text


def _opening(system: str | None) -> Messages:
    return [{"role": "system", "content": system}] if system else []


def _answer(engine: Engine, name: str, messages: Messages, sampling: Sampling) -> Iterator[str]:
    from openhearth.inference import Request

    tokenizer = engine.tokenizer(name)
    prompt = tokenizer.encode(tokenizer.chat(messages, add_generation_prompt=True))
    stream = engine.submit(Request(name, prompt, sampling))
    try:
        for delta in stream:
            yield delta.text
    finally:
        stream.cancel()


def _ask() -> str | None:
    """The next line from the user, None at the end."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        return None


def _latest(store: Store) -> str:
    from openhearth.models import writes_text

    named = [
        (artifact.created, name)
        for name in store.refs.all()
        if writes_text(artifact := store.get(name))
    ]
    if not named:
        raise NotFound("There is no model yet: `hearth pull smollm2-135m` fetches a small one.")
    return max(named)[1]
