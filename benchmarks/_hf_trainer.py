"""The side of the Hugging Face `Trainer` in `training_pretrain.py`: SHAPE FOLDER BATCH THREADS.

Each line asks for steps in a dtype (`[steps, bf16]`), of a new model, and is answered with tokens
per second.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments


class Clock(TrainerCallback):
    """How long the steps take, without setting up."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds = time.perf_counter() - self.start


def model(shape: dict[str, int], length: int) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape["vocabulary"],
            hidden_size=shape["width"],
            intermediate_size=shape["hidden"],
            num_hidden_layers=shape["depth"],
            num_attention_heads=shape["heads"],
            num_key_value_heads=shape["kv_heads"],
            max_position_embeddings=length,
            tie_word_embeddings=True,
            attn_implementation="sdpa",
        )
    )


def main() -> None:
    shape, folder, batch = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(int(sys.argv[4]))
    rows = torch.from_numpy(np.load(folder / "train.npy").astype(np.int64))
    data = [{"input_ids": row, "labels": row} for row in rows]
    for line in sys.stdin:
        steps, narrow = json.loads(line)
        clock = Clock()
        with tempfile.TemporaryDirectory() as out:
            settings = TrainingArguments(
                output_dir=out,
                use_cpu=True,
                bf16=narrow,
                max_steps=steps,
                per_device_train_batch_size=batch // rows.shape[1],
                learning_rate=1e-3,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
            )
            new = model(shape, rows.shape[1])
            Trainer(new, settings, train_dataset=data, callbacks=[clock]).train()
        answers.write(json.dumps(steps * batch / clock.seconds) + "\n")
        answers.flush()


if __name__ == "__main__":
    # What the trainer prints is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    main()
