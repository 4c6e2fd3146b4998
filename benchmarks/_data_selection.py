"""data-selection's importance weights, in its own environment; see `data_dsir.py`.

Reads `[SOURCE, TARGET]` a line, JSON lines with a `text` each, and writes
`[SECONDS TO FIT, SECONDS TO WEIGH, [WEIGHT, …]]`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from data_selection import HashedNgramDSIR

for line in sys.stdin:
    source, target = json.loads(line)
    with TemporaryDirectory() as cache:
        dsir = HashedNgramDSIR([source], [target], cache_dir=cache, num_proc=1)
        start = time.perf_counter()
        dsir.fit_importance_estimator(num_tokens_to_fit="all")
        fitted = time.perf_counter()
        dsir.compute_importance_weights()
        end = time.perf_counter()
        (path,) = Path(cache).glob("log_importance_weights/*.npy")
        print(json.dumps([fitted - start, end - fitted, np.load(path).tolist()]))
