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
        self._begin()

    def _begin(self) -> None:
        self.position = self.rng.uniform(-1.0, 1.0, 2).astype(np.float32)

    def _observation(self) -> dict[str, np.ndarray]:
        return {"position": self.position}

    def _move(self, action: np.ndarray) -> tuple[bool, float]:
        """Success and the grasp's penalty."""
        self.position = np.clip(self.position + STEP * action, -1.5, 1.5).astype(np.float32)
        return bool(np.linalg.norm(self.position) < GOAL), 0.0

    def act(self, choose) -> Transition:
        """One step; `choose` maps an observation to an action (2,)."""
        observation = self._observation()
        action = np.clip(choose(observation), -1.0, 1.0).astype(np.float32)
        success, penalty = self._move(action)
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
            grasp_penalty=penalty,
            final_observation=self._observation() if ends else None,
        )
        self.sequence += 1
        self.step += 1
        if ends:
            self.episode, self.step = self.episode + 1, 0
            self._begin()
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


def success_rate(choose, episodes: int, seed: int, task=PointActor) -> float:
    transitions = task(seed).episodes(episodes, choose)
    return sum(t.success for t in transitions) / episodes
