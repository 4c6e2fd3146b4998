"""Whether other load generators measure what we measure: guidellm and aiperf, on the same servers.

The servers are the stub, whose times are known, and `hearth serve` with SmolLM2-135M. Each tool
sends as many requests at the same, even rate with prompts of about the same length, in turn, and
tells its own figures; a ratio is theirs over ours. The rate is even because arrivals that are drawn
differ from tool to tool, and with them the waits. Where a definition differs, the figure that
is nearest is taken, and `WHY` says how they differ. Peers live in environments of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _peers import peer_python, pinned
from _results import RESULTS
from _servers import KEY, NAME, hearth

from openhearth.bench import describe_machine
from openhearth.bench.foreign import Foreign, figures
from openhearth.bench.load import Target, carry_out
from openhearth.bench.records import Ask
from openhearth.bench.stub import Times, Truth, stub
from openhearth.models import export_directory, pull
from openhearth.store import Store

RATE, REQUESTS = 1.0, 20
PROMPT_TOKENS, ANSWER_TOKENS = 60, 24
WORDS = [
    "river",
    "stone",
    "lamp",
    "garden",
    "window",
    "letter",
    "engine",
    "cloud",
    "market",
    "bridge",
]
TRUTH = Truth(first=Times(median_s=0.2), gap=Times(median_s=0.02), canned=ANSWER_TOKENS)
TRUE = {"ttft_ms": 200.0, "tpot_ms": 20.0, "e2e_ms": 200.0 + 20.0 * (ANSWER_TOKENS - 1)}
WHY = {
    "ttft_ms": "ours from when a request was due; theirs from when it was sent",
    "tpot_ms": "guidellm and aiperf call it inter-token latency: a mean of each request; "
    "guidellm's own TPOT has the first wait in it",
    "e2e_ms": "ours from when a request was due; theirs from when it was sent",
    "tokens_per_second": "of all answers; ours from the first due to the last end",
}

Figures = dict[str, float]


def ours(server: Target, rate: float, requests: int) -> Figures:
    """The medians of our load generator, and its throughput."""
    rng = np.random.default_rng(1)
    asks = [
        Ask(
            number,
            "chat",
            "chat/completions",
            {
                "messages": [
                    {"role": "user", "content": " ".join(rng.choice(WORDS, PROMPT_TOKENS))}
                ],
                "max_tokens": ANSWER_TOKENS,
            },
            at=number / rate,
        )
        for number in range(requests)
    ]
    sent = carry_out(server, asks)
    (point,) = figures(Foreign("openhearth", "", server.model, sent.records, ()))["points"]
    assert point["errors"] == 0, [record.detail for record in sent.records]
    return {
        name: point[name]["p50"]["value"] if name.endswith("_ms") else point[name] for name in WHY
    }


def guidellm(server: Target, tokenizer: Path, work: Path, rate: float, requests: int) -> Figures:
    """What guidellm's report says."""
    backend = f"kind=openai_http,target={server.url},model={server.model},validate_backend=false"
    if server.key:
        backend += f",api_key={server.key}"
    file = work / "guidellm.json"
    _run(
        peer_python("guidellm", pinned("guidellm")).with_name("guidellm"),
        "run", "--disable-console",
        "--backend", backend,
        "--profile", f"kind=constant,rate={rate}",
        "--constraint", f"kind=max_requests,count={requests}",
        "--tokenizer", f"kind=huggingface_auto,model={tokenizer}",
        "--data",
        f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={ANSWER_TOKENS}",
        "--output", f"kind=json,path={file}",
        offline=True,
    )  # fmt: skip
    metrics = json.loads(file.read_bytes())["benchmarks"][0]["metrics"]
    medians = {name: metrics[theirs]["successful"]["median"] for name, theirs in GUIDELLM.items()}
    speed = metrics["output_tokens_per_second"]["successful"]["mean"]
    return medians | {"e2e_ms": 1e3 * medians["e2e_ms"], "tokens_per_second": speed}


def aiperf(server: Target, tokenizer: Path, work: Path, rate: float, requests: int) -> Figures:
    """What aiperf's export says."""
    key = ["--api-key", server.key] if server.key else []
    _run(
        peer_python("aiperf", pinned("aiperf")).with_name("aiperf"),
        "profile", "-m", server.model, "--url", server.url, *key,
        "--endpoint-type", "chat", "--streaming", "--tokenizer", str(tokenizer),
        "--request-rate", str(rate), "--arrival-pattern", "constant",
        "--request-count", str(requests), "--num-dataset-entries", str(requests),
        "--prompt-input-tokens-mean", str(PROMPT_TOKENS), "--prompt-input-tokens-stddev", "0",
        "--prompt-output-tokens-mean", str(ANSWER_TOKENS), "--use-server-token-count",
        "--output-artifact-dir", str(work / "aiperf"), "--ui-type", "none",
        offline=False,  # offline it takes a path for the name of a repository
    )  # fmt: skip
    told = json.loads((work / "aiperf" / "profile_export_aiperf.json").read_bytes())
    medians = {name: told[theirs]["p50"] for name, theirs in AIPERF.items()}
    return medians | {"tokens_per_second": told["output_token_throughput"]["avg"]}


GUIDELLM = {
    "ttft_ms": "time_to_first_token_ms",
    "tpot_ms": "inter_token_latency_ms",
    "e2e_ms": "request_latency",  # in seconds
}
AIPERF = {
    "ttft_ms": "time_to_first_token",
    "tpot_ms": "inter_token_latency",
    "e2e_ms": "request_latency",
}


def _run(program: Path, *arguments: str, offline: bool) -> None:
    ours = ("PYTHONPATH", "HF_HUB_OFFLINE")  # even a 0 means offline to aiperf
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"HF_HUB_OFFLINE": "1"} if offline else {}
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"{program.name} has failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


@contextmanager
def servers(home: str) -> Iterator[dict[str, Target]]:
    """Both, each under the name that the table has for it."""
    with stub(TRUTH) as url, hearth(home) as own:
        yield {"stub": Target(url, "stub"), "hearth serve": Target(own.url, NAME, KEY)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=float, default=RATE)
    options.add_argument("--requests", type=int, default=REQUESTS)
    asked = options.parse_args()
    rows = []
    with TemporaryDirectory() as home:
        tokenizer, model = Path(home, "exported"), pull(Store(home), NAME)
        export_directory(model, tokenizer)
        with servers(home) as targets:
            for name, target in targets.items():
                work = Path(home, name.replace(" ", "-"))
                work.mkdir()
                mine = ours(target, asked.rate, asked.requests)
                their = {
                    "guidellm": guidellm(target, tokenizer, work, asked.rate, asked.requests),
                    "aiperf": aiperf(target, tokenizer, work, asked.rate, asked.requests),
                }
                rows += [_row(name, measure, mine, their) for measure in WHY]
    _write(rows)


def _row(server: str, measure: str, mine: Figures, their: dict[str, Figures]) -> dict[str, object]:
    return {
        "server": server,
        "measure": measure,
        "truth": TRUE.get(measure) if server == "stub" else None,
        "ours": mine[measure],
        **{tool: found[measure] for tool, found in their.items()},
        **{f"{tool}_ratio": found[measure] / mine[measure] for tool, found in their.items()},
        "why": WHY[measure],
    }


def _write(rows: list[dict[str, object]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "serving_agreement.json"
    path.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")
    print(f"\nserving_agreement, on {describe_machine()}")
    print(f"{'server':<13}{'measure':<18}{'truth':>8}{'ours':>9}{'guidellm':>16}{'aiperf':>16}")
    for row in rows:
        truth = "" if row["truth"] is None else f"{row['truth']:.1f}"
        cells = "".join(
            f"{row[tool]:>9.1f} ({row[f'{tool}_ratio']:.2f})" for tool in ("guidellm", "aiperf")
        )
        print(f"{row['server']:<13}{row['measure']:<18}{truth:>8}{row['ours']:>9.1f}{cells}")
    for measure, why in WHY.items():
        print(f"  {measure}: {why}.")


if __name__ == "__main__":
    main()
