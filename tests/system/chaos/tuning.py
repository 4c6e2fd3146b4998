"""A fine-tuning job in the middle of it all, begun again until one of them has succeeded."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.system.up import Platform

LINES = [
    {
        "messages": [
            {"role": "user", "content": f"number {number}?"},
            {"role": "assistant", "content": f"The number is {number}."},
        ]
    }
    for number in range(40)
]
HYPERPARAMETERS = {"n_epochs": 8, "batch_size": 5}
PAUSE = 0.2  # seconds
OVER = {"succeeded", "failed", "cancelled"}


@dataclass
class Tuning:
    """Asks as somebody who tries again. Where an answer is lost there may be two jobs."""

    platform: Platform

    def run(self) -> None:
        """Until a job has succeeded: one may fail, as a job that dies too often is given up."""
        headers = {"authorization": f"Bearer {self.platform.key}"}
        with httpx.Client(base_url=self.platform.url, headers=headers, timeout=60) as http:
            while self._tuned(http) != "succeeded":
                pass

    def _tuned(self, http: httpx.Client) -> str:
        """How a job ended."""
        text = "".join(json.dumps(line) + "\n" for line in LINES)
        form = {"data": {"purpose": "fine-tune"}, "files": {"file": ("lines.jsonl", text)}}
        file = _answer(http, "POST", "/v1/files", **form)["id"]
        method = {"type": "supervised", "supervised": {"hyperparameters": HYPERPARAMETERS}}
        body = {"model": "tiny", "training_file": file, "method": method}
        job = _answer(http, "POST", "/v1/fine_tuning/jobs", json=body)["id"]
        while (state := _answer(http, "GET", f"/v1/jobs/{job}")["status"]) not in OVER:
            time.sleep(PAUSE)
        return str(state)


def _answer(http: httpx.Client, method: str, path: str, **asked: Any) -> Any:
    """What is answered in the end."""
    while True:
        try:
            response = http.request(method, path, **asked)
            if response.status_code < 500:
                response.raise_for_status()
                return response.json()
        except httpx.TransportError:
            pass
        time.sleep(PAUSE)
