"""`serl benchmark actor`: where the time of one step of the actor goes, in simulation."""

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from serl_actor.actor import Actor, ActorConfig, Agent
from serl_actor.environment import make_environment
from serl_bringup.task import Task, load_task
from serl_learner.backbone import make_backbone
from serl_learner.codec import encode_transition
from serl_learner.policy import Policy
from serl_learner.transition import Observation, ObservationSpec

WARM_UP = 50  # steps


def measure(
    observations: str | None = None, task: str = "pcb_insertion", steps: int = 300
) -> dict[str, Any]:
    """Runs the actor's own loop, with an untrained policy. Times are medians in ms."""
    torch.set_num_threads(1)  # as the actor does: the other cores are the learner's
    loaded = load_task(task, observations=observations)
    environment = make_environment(loaded.environment)
    try:
        policy = UntrainedPolicy(environment, loaded)
        watch = _Watch()
        environment.unwrapped.step = watch.timed("environment", environment.unwrapped.step)
        environment.step = watch.timed("wrapped", environment.step)
        policy.policy.look = watch.timed("backbone", policy.policy.look)
        policy.act = watch.timed("action", policy.act)
        encode = watch.timed("encode", encode_transition)

        def hand_on(transition) -> None:
            encode(transition)
            watch.end_step()

        actor = Actor(
            environment,
            [Agent(policy, gate=watch.begin_step, sinks=[hand_on])],
            ActorConfig(max_steps=WARM_UP + steps),
        )
        actor.run(stop=lambda: False)
    finally:
        environment.close()
    times = {name: np.array(values[WARM_UP:]) for name, values in watch.times_ms.items()}
    times["wrappers"] = times.pop("wrapped") - times["environment"]
    times["policy"] = times["action"] - times["backbone"]
    total, action = times.pop("total"), times.pop("action")
    return {
        "task": task,
        "observations": loaded.environment.arguments.get("observations", "state"),
        "steps": steps,
        "observation_to_action_ms": round(float(np.median(action)), 3),
        "observation_to_action_p99_ms": round(float(np.percentile(action, 99)), 3),
        "median_ms": round(float(np.median(total)), 3),
        "p99_ms": round(float(np.percentile(total, 99)), 3),
        "stages": {
            name: round(float(np.median(times[name])), 3)
            for name in ("backbone", "policy", "environment", "wrappers", "encode")
        },
    }


class _Watch:
    """Times of each stage, one entry per step (ms)."""

    def __init__(self):
        self.times_ms: dict[str, list[float]] = {}
        self._began = 0.0

    def timed(self, stage: str, function: Callable) -> Callable:
        def run(*arguments):
            began = time.perf_counter()
            result = function(*arguments)
            self._add(stage, began)
            return result

        return run

    def begin_step(self, sequence: int) -> bool:
        self._began = time.perf_counter()
        return True

    def end_step(self) -> None:
        self._add("total", self._began)

    def _add(self, stage: str, began: float) -> None:
        self.times_ms.setdefault(stage, []).append(1000 * (time.perf_counter() - began))


class UntrainedPolicy:
    version = 0

    def __init__(self, environment: gym.Env, task: Task):
        observation = environment.observation_space.sample()
        (action_size,) = environment.action_space.shape
        spec = ObservationSpec.from_observation(observation, task.learner.observation_keys)
        encoder = task.encoder
        backbone = None
        if spec.images:
            backbone = make_backbone(encoder.backbone, encoder.weights).accelerate()
        hidden, std_range = task.rlpd.hidden, task.rlpd.std_range
        self.policy = Policy(spec, action_size, hidden, std_range, encoder, backbone)

    def begin_episode(self) -> None:
        self.policy.begin_episode()

    def act(self, observation: Observation) -> np.ndarray:
        return self.policy.act(observation, deterministic=False)
