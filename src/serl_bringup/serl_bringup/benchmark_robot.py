"""`serl benchmark robot`: from a camera's exposure to the target that follows, over topics."""

import time
from typing import Any

import numpy as np
import torch

from serl_actor.actor import ON_TIME_S, Actor, ActorConfig, Agent
from serl_actor.environment import make_environment
from serl_actor.judged import JudgedEnvironment
from serl_actor.robot_env import PERIOD_S, RobotEnv
from serl_bringup.benchmark_actor import UntrainedPolicy
from serl_bringup.robot import robot_of, robot_resets
from serl_bringup.task import SIMULATED, load_task
from serl_learner.transition import Observation
from serl_reward.rewards import make_reward

WARM_UP = 50  # steps


def measure(
    observations: str | None = None, task: str = "pcb_insertion", steps: int = 600
) -> dict[str, Any]:
    """Runs the actor's loop against the simulated robot's node, with an untrained policy. ms."""
    torch.set_num_threads(1)  # as the actor does
    loaded = load_task(task, observations=observations, robot=SIMULATED)
    judge = make_reward(loaded.reward, loaded.vice, None)
    with robot_of(loaded):
        environment = make_environment(
            loaded.environment,
            resets=robot_resets(loaded, seed=0),
            judged=lambda env: JudgedEnvironment(env, judge),
        )
        try:
            watch = _Watch(environment.unwrapped)
            policy = watch.deciding(UntrainedPolicy(environment, loaded))
            episodes = []
            actor = Actor(
                environment,
                [Agent(policy, episode_sinks=[episodes.append])],
                ActorConfig(WARM_UP + steps, control_rate_hz=1.0 / PERIOD_S),
            )
            actor.run(stop=lambda: False)
        finally:
            environment.close()
    periods = np.concatenate([np.diff(episode.starts_s) for episode in episodes])[WARM_UP:]
    off_ms = 1e3 * np.abs(periods - PERIOD_S)
    stages = {name: np.array(times[WARM_UP:]) for name, times in watch.stages_ms.items()}
    return {
        "task": task,
        "steps": len(periods),
        "on_time_share": round(float(np.mean(off_ms <= 1e3 * ON_TIME_S)), 4),
        "period_off_p99_ms": round(float(np.percentile(off_ms, 99)), 2),
        "exposure_to_target": _figures(sum(stages.values())),
        "stages": {name: _figures(times) for name, times in stages.items()},
    }


def _figures(times_ms: np.ndarray) -> dict[str, float]:
    median, p99 = np.percentile(times_ms, [50, 99])
    return {"median_ms": round(float(median), 2), "p99_ms": round(float(p99), 2)}


class _Watch:
    """When what a target was decided from was exposed, arrived, was observed and decided on."""

    STAGES = ("transport", "observing", "deciding", "pacing")

    def __init__(self, env: RobotEnv):
        """`env`'s methods are timed; the oldest picture counts."""
        self.stages_ms: dict[str, list[float]] = {name: [] for name in self.STAGES}
        self._exposed = self._arrived = self._observed = self._decided = 0
        self._link, self._observe, self._move = env._link, env._observe, env._link.move
        self._cameras = env._cameras
        env._observe, env.step = self.observe, self._stepping(env.step)

    def deciding(self, policy: UntrainedPolicy) -> UntrainedPolicy:
        act = policy.act

        def timed(observation: Observation) -> np.ndarray:
            action = act(observation)
            self._decided = time.time_ns()
            return action

        policy.act = timed
        return policy

    def observe(self):
        pictures = [self._link.picture(name) for name in self._cameras]
        oldest = min(pictures, key=lambda picture: picture.stamp_ns)
        self._exposed, self._arrived = oldest.stamp_ns, oldest.arrived_ns
        result = self._observe()
        self._observed = time.time_ns()
        return result

    def move(self, pose: np.ndarray) -> None:
        self._move(pose)
        times = self._exposed, self._arrived, self._observed, self._decided, time.time_ns()
        for stage, passed_ns in zip(self.STAGES, np.diff(times), strict=True):
            self.stages_ms[stage].append(1e-6 * passed_ns)

    def _stepping(self, step):
        def timed(action):
            self._link.move = self.move  # a reset's targets are decided by nobody
            try:
                return step(action)
            finally:
                self._link.move = self._move

        return timed
