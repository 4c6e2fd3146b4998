"""What figures, rules and errors mean, in words for people, and numbers as they are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Plain = dict[str, Any]

# What was found, and what that means for a reader; by the rule that looks for it.
FINDINGS = {
    "rule 13": ("The load generator sent late.",
                "Waits may be its own: the run is not valid. A faster client, more processes or a "
                "lower rate mend this."),
    "rule 16": ("The load was not sustained: requests under way and waits for first tokens grew.",
                "More was asked than the server can do; had the load gone on, waits would have "
                "grown without end."),
    "rule 17": ("The load was short.",
                "It had fewer seconds or requests than its tier asks for: its figures are rough, "
                "and not ranked."),
    "rule 25": ("The server counts tokens otherwise than the neutral tokenizer, by more than 1 %.",
                "Who pays by the server's usage pays for other tokens than came."),
    "rule 41": ("Answers were stored.",
                "The same question got the same answer again, more often than the reference would "
                "give it. Figures of speed are those of a memory, not of a model."),
    "rule 42": ("Answers were cut.",
                "They are of other lengths than the reference's, or ended for want of room that "
                "they had."),
    "rule 43": ("Under load another model answers.",
                "Answers to the same questions differ from those that came without load: the "
                "quality that was measured alone is not what users get."),
    "rule 44": ("The server was fast only at first.",
                "The last third of the time was slower than the first, beyond chance: what lasts "
                "longer than this load is slower than its figures."),
    "rule 58": ("The report is partial.",
                "The load was broken off, or requests that were due have no record. What is here "
                "is true, but not ranked."),
}  # fmt: skip

CLASSES = {
    "identical": "greedy answers equal the reference's wherever it is sure",
    "equivalent": "no further from the reference than the protocol's margin, and no task worse",
    "approximate": "close to the reference, at the distance told below",
    "different": "not the model that was named, or worse at tasks",
    "unproven": "too few samples to tell",
    "ungated": "not gated: nobody asked whether it is the model that was named",
}

ERRORS = {
    "address": "the name does not resolve, or nobody listens there",
    "certificate": "the certificate is not to be believed",
    "connection": "the connection ended before the answer began",
    "timeout": "not a byte came for as long as the recipe waits",
    "key": "the key was not accepted (401, 403)",
    "rate_limit": "more requests than the server allows (429)",
    "refused": "the server takes the request to be wrong (another 4xx)",
    "server": "the server failed (5xx)",
    "redirect": "the server sent us elsewhere (3xx), where we do not go",
    "not_streaming": "the answer came in one piece though a stream was asked for",
    "malformed": "what came is not HTTP, not events or not JSON",
    "error_event": "the stream said that something went wrong",
    "cut": "the stream ended in the middle of the answer",
    "empty": "the answer was over without content",
    "too_large": "the answer was larger than a client can hold",
    "broken_off": "by us: the measurement was interrupted",
}

ROLES = {
    "ranked": "the recipe's load",
    "search": "search",
    "confirm": "confirmation",
    "alone": "one caller",
    "twice": "twice the capacity",
    "gate": "gate, alone",
    "again": "again",
    "monitor": "over time",
}

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def number(value: float | None) -> str:
    """Three digits that count; what is null is infinite."""
    if value is None:
        return "∞"
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2e}"


def percent(share: float | None) -> str:
    """A share, with as many digits as tell it from all."""
    if share is None:
        return "-"
    return f"{100 * share:.3g} %" if share < 0.99 else f"{100 * share:.4g} %"


def dollars(value: float | None) -> str:
    """An amount of money."""
    return "-" if value is None else f"${value:,.2f}" if value >= 1 else f"${value:.3g}"


def moment(at: float) -> str:
    """A Unix time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def day(at: float) -> str:
    """The date of a Unix time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def load(told: Plain) -> str:
    """A load of a recipe."""
    kind = told["arrivals"]
    if "rate" in told:
        return f"{number(told['rate'])}/s" + (" in bursts" if kind == "bursts" else "")
    if "callers" in told:
        return "1 caller" if told["callers"] == 1 else f"{told['callers']} callers"
    return {"trace": "a trace", "all_at_once": "all at once"}[kind]


def objective(told: Plain) -> str:
    """The bounds of an objective, and how many must keep them."""
    return (
        f"{percent(told['share'])} of requests with a first token in {number(told['ttft_ms'])} ms, "
        f"{number(told['tpot_ms'])} ms a token after that, and fluidity {told['fluidity']:g}"
    )


def letter(place: int) -> str:
    """What an entry of a report is called for short."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)
