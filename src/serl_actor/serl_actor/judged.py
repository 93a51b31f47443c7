"""Rewards from outside: a reward source judges the steps, not the environment itself."""

import time
from collections.abc import Callable, Mapping

import gymnasium as gym
import numpy as np

from serl_actor.faults import Fault
from serl_learner.reward import Judgement, Reward, Step
from serl_learner.transition import Observation

ASK_AGAIN_S = 0.05  # while a person has not judged yet
PERSON_PATIENCE_S = 120.0  # for a person to judge an episode that has ended
# Sources that are asked once: a person, and a pose, which is the arm's own and goes with it.
FINAL = {"human", "pose"}


class RewardFault(Fault):
    """A step was not judged."""


class JudgedEnvironment(gym.Wrapper):
    """Reward, success and the end of an episode are as `judge` says; time limits stay.

    It stands around the environment in whose frame observations and actions are judged. The
    environment's own word on success, where it knows the truth, is `info["true_success"]`: it ends
    nothing, and is there to be compared. A step that cannot be judged raises RewardFault: a reward
    is never invented. `ready` is called at each reset, and raises it where nobody would answer.

    With `confirms`, around a PlannedReset, a success counts only if it is judged to be one still
    when the arm has been driven away; else the episode is cut off there (`info["refuted"]`), and
    its reward is that of the second judgement, and the truth is that of its moment. A classifier is
    deceived by where the arm is.

    With a mapping, the agent that a reset's `info["agent"]` names is judged by its own `judge`; one
    without keeps the environment's word.
    """

    def __init__(
        self,
        env: gym.Env,
        judge: Reward | Mapping[str, Reward],
        ready: Callable[[], None] = lambda: None,
        confirms: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        super().__init__(env)
        self._judges = judge
        self._judge: Reward | None = None if isinstance(judge, Mapping) else judge
        self._ready = ready
        self._confirms = confirms
        self._clock, self._sleep = clock, sleep
        self._previous: Observation = {}
        self._observed_ns = 0  # Unix time of it

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._ready()
        self._previous, info = self.env.reset(seed=seed, options=options)
        self._observed_ns = time.time_ns()
        if isinstance(self._judges, Mapping):
            self._judge = self._judges.get(info.get("agent", ""))
        return self._previous, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._judge is None:
            return observation, reward, terminated, truncated, info
        own_word = [info.pop(key) for key in ("success", "is_success") if key in info]
        fell = terminated and not any(own_word)  # it ended for another reason than success
        last = bool(truncated or fell)
        step = Step(self._previous, action, observation, last, self._observed_ns)
        judgement = self._judged(step)
        refuted = False
        if judgement.success and self._confirms:
            judgement, refuted = self._confirmed(judgement)
            own_word = own_word and [self.env.is_done()]
        self._previous, self._observed_ns = observation, time.time_ns()
        info |= {
            "success": judgement.success,
            "reward_version": judgement.version,
            "confidence": judgement.confidence,
            "refuted": refuted,
        }
        if own_word:
            info["true_success"] = bool(own_word[0])
        ended = judgement.success or fell
        return observation, judgement.reward, ended, truncated or refuted, info

    def _confirmed(self, first: Judgement) -> tuple[Judgement, bool]:
        """The judgement that counts, and whether it refutes the first one, a success."""
        seen, rest = self.env.withdraw(), np.zeros(self.action_space.shape, np.float32)
        second = self._judged(Step(seen, rest, seen, began_ns=time.time_ns()))
        return (first, False) if second.success else (second, True)

    def _judged(self, step: Step) -> Judgement:
        asked_at = self._clock()
        while True:
            try:
                judgement = self._judge(step)
            except RewardFault:
                raise
            except ValueError as error:
                raise RewardFault(f"reward: {error}") from None
            if not judgement.pending:
                return judgement
            if self._clock() - asked_at >= PERSON_PATIENCE_S:
                raise RewardFault(
                    f"reward: expected a person's label within {PERSON_PATIENCE_S:.0f} s, got none"
                )
            self._sleep(ASK_AGAIN_S)
