"""Memory of the replay, and how fast it takes in and gives out transitions."""

import time
from typing import Any

import numpy as np

from serl_bringup.benchmark_learner import ACTION_SIZE, SPEC, random_transition
from serl_learner.replay import ReplayBuffer

EPISODE = 100  # steps


def measure(capacity: int = 100_000, batch: int = 256, seconds: float = 3.0) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    replay = ReplayBuffer(capacity, SPEC, ACTION_SIZE, rng)
    begin = time.perf_counter()
    for sequence in range(capacity):
        replay.add(random_transition(SPEC, sequence, rng, ends=sequence % EPISODE == EPISODE - 1))
    add_s = (time.perf_counter() - begin) / capacity
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        replay.sample(batch)
        count += batch
    return {
        "observations": "state",
        "state_size": SPEC.state_size,
        "batch": batch,
        "bytes_per_100k": round(replay.nbytes * 100_000 / replay.capacity),
        "samples_per_s": round(count / (time.perf_counter() - begin)),
        "adds_per_s": round(1 / add_s),
    }
