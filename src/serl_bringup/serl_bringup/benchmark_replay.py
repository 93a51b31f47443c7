"""Memory of the replay, and how fast it takes in and gives out transitions."""

import time
from typing import Any

import numpy as np

from serl_bringup.benchmark_learner import ACTION_SIZE, SPEC
from serl_learner.replay import ReplayBuffer
from serl_learner.transition import Transition

EPISODE = 100  # steps


def measure(capacity: int = 100_000, batch: int = 256, seconds: float = 3.0) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    replay = ReplayBuffer(capacity, SPEC, ACTION_SIZE, rng)
    begin = time.perf_counter()
    for sequence in range(capacity):
        replay.add(_transition(sequence, rng))
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


def _transition(sequence: int, rng: np.random.Generator) -> Transition:
    episode, step = divmod(sequence, EPISODE)
    observation = {name: rng.random(size, np.float32) for name, size in SPEC.vectors}
    ends = step == EPISODE - 1
    return Transition(
        agent="agent",
        actor="actor",
        sequence=sequence,
        episode=episode,
        step=step,
        observation=observation,
        action=rng.random(ACTION_SIZE, np.float32),
        reward=0.0,
        terminated=False,
        truncated=ends,
        final_observation=observation if ends else None,
    )
