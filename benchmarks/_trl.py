"""The side of `trl` with `peft` in `training_lora.py`: FOLDER SETTINGS, and its outcome as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from _memory import peak_bytes
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    """How long the steps take, without setting up."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds = time.perf_counter() - self.start


@torch.no_grad()
def heldout(model: Any, rows: list[dict[str, Any]]) -> float:
    """Mean nats of the tokens that count, one example at a time."""
    total, count = 0.0, 0
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        counts = torch.tensor(row["completion_mask"][1:], dtype=torch.bool)
        logits = model(ids).logits[0, :-1].float()
        losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        total += losses[counts].sum().item()
        count += int(counts.sum())
    return total / count


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    rows = {s: json.loads((folder / f"{s}.json").read_text()) for s in ("train", "heldout")}
    more = settings["more"]
    dtype = getattr(torch, more.pop("dtype", "float32"))
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=dtype)
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({"<pad>": 0}, unk_token="<pad>"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<pad>"
    )
    clock = Clock()
    tokens = sum(len(row["input_ids"]) for row in rows["train"])
    if more.get("packing"):  # as many rows as steps, so that a step has as many tokens
        more["max_length"] = tokens * settings["examples"] // len(rows["train"])
    said = {
        "use_cpu": True,
        "learning_rate": settings["rate"],
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "num_train_epochs": 1,
        "per_device_train_batch_size": settings["examples"],
        "max_grad_norm": settings["clip"],
        "completion_only_loss": True,
        "save_strategy": "no",
        "report_to": "none",
    }
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(output_dir=out, **(said | more))
        adapter = LoraConfig(
            r=settings["rank"], lora_alpha=settings["alpha"], target_modules="all-linear"
        )
        trainer = SFTTrainer(
            model=model,
            args=config,
            train_dataset=Dataset.from_list(rows["train"]),
            processing_class=tokenizer,
            peft_config=adapter,
            callbacks=[clock],
        )
        trainer.train()
    peak = peak_bytes()
    loss = heldout(trainer.model.eval(), rows["heldout"])
    print(json.dumps({"tokens_per_second": tokens / clock.seconds, "heldout": loss, "bytes": peak}))


if __name__ == "__main__":
    main()
