"""A toy task: drive a point in the plane to the origin, reward 1 there and 0 elsewhere."""

import numpy as np

from serl_learner.transition import Transition

STEP = 0.1  # distance per unit of action
GOAL = 0.1  # radius of success
LIMIT = 30  # steps of an episode


class PointActor:
    """Acts in the task and numbers its transitions, as an actor does."""

    def __init__(self, seed: int, name: str = "actor") -> None:
        self.rng = np.random.default_rng(seed)
        self.name = name
        self.sequence = self.episode = self.step = 0
        self.position = self._start()

    def _start(self) -> np.ndarray:
        return self.rng.uniform(-1.0, 1.0, 2).astype(np.float32)

    def act(self, choose) -> Transition:
        """One step; `choose` maps an observation to an action (2,)."""
        observation = {"position": self.position}
        action = np.clip(choose(observation), -1.0, 1.0).astype(np.float32)
        position = np.clip(self.position + STEP * action, -1.5, 1.5).astype(np.float32)
        success = bool(np.linalg.norm(position) < GOAL)
        truncated = not success and self.step + 1 == LIMIT
        ends = success or truncated
        transition = Transition(
            agent="agent",
            actor=self.name,
            sequence=self.sequence,
            episode=self.episode,
            step=self.step,
            observation=observation,
            action=action,
            reward=float(success),
            terminated=success,
            truncated=truncated,
            success=success,
            final_observation={"position": position} if ends else None,
        )
        self.sequence += 1
        self.step += 1
        self.position = position
        if ends:
            self.episode, self.step, self.position = self.episode + 1, 0, self._start()
        return transition

    def episodes(self, count: int, choose) -> list[Transition]:
        transitions = []
        last = self.episode + count
        while self.episode < last:
            transitions.append(self.act(choose))
        return transitions


def demonstrator(rng: np.random.Generator):
    """A clumsy expert: half speed, with noise."""

    def choose(observation):
        towards = -observation["position"] / STEP
        return 0.5 * towards / max(1.0, np.abs(towards).max()) + rng.normal(0.0, 0.2, 2)

    return choose


def success_rate(choose, episodes: int, seed: int) -> float:
    transitions = PointActor(seed).episodes(episodes, choose)
    return sum(t.success for t in transitions) / episodes
