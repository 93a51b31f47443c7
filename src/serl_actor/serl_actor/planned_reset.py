"""Resets that somebody else plans: the environment drives, and nothing is teleported."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from serl_actor.environment import is_success
from serl_actor.faults import Fault
from serl_actor.reset import ResetKind, ResetPlan, ResetRequest
from serl_learner.reward import Reward, Step
from serl_learner.transition import Observation

ASK_AGAIN_S = 0.1  # while a person has not confirmed yet
MOST_PLANS = 3  # that are driven one after the other until an agent begins


class ResetFault(Fault):
    """A reset was not planned."""


class PlannedReset(gym.Wrapper):
    """Asks `planner` at each reset what to drive and which agent begins, and does it.

    The environment's own reset, with its seed, is made once: at the first. From then on it is reset
    with options alone, which it has to honour, from where the robot is: `waypoints` (n, 8) to drive
    (time in s, position in m, quaternion x-y-z-w; base frame), `gripper`, its opening before the
    drive (0 closed to 1 open; None: as it is), and `agent`, whose task it is from now on (empty
    while it only drives). Its info may say which agents' tasks are done (`solved`), and whether it
    put something back from outside (`rescued`).

    The info of a reset has `agent`, who acts in this episode, and `rescued`, whether anything was
    put back for it. A success that holds already is asked of the agent's judge; of an agent without
    one it is the environment's word, after the last reset or step. `say` is told what a person has
    to do, who is waited for until `stop()`. Raises ResetFault where there is no plan.

    `withdraw` does the first part of the next reset ahead of it.
    """

    def __init__(
        self,
        env: gym.Env,
        planner: Callable[[ResetRequest], ResetPlan],
        judges: Mapping[str, Reward],
        say: Callable[[str], None] = lambda message: None,
        stop: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
    ):
        super().__init__(env)
        self._planner, self._judges = planner, judges
        self._say, self._stop, self._sleep = say, stop, sleep
        self._agent = ""  # that acts, between two episodes: that acted last
        self._observation: Observation = {}  # the newest; none before the first reset
        self._done: tuple[str, ...] = ()  # agents whose task is solved, as the environment says
        self._rescued = False  # since the last episode
        self._driven = False  # since the last episode, by `withdraw`

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        if not self._observation:
            self._reset(seed=seed, options=options)
        # After a success that did not hold the arm is away already, but what it failed at is not.
        driven = self._driven and self._agent in self._solved()
        self._driven = False
        for plans in range(MOST_PLANS):
            plan = self._confirmed_plan(driven or plans > 0)
            info = self._follow(plan.agent, plan.waypoints, plan.gripper)
            if plan.agent:
                info |= {"agent": plan.agent, "rescued": self._rescued}
                self._agent, self._rescued = plan.agent, False
                return self._observation, info
        raise ResetFault(
            f"reset: expected an agent to begin with plan {MOST_PLANS} at the latest, got none"
        )

    def step(self, action):
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        self._done = (self._agent,) if is_success(info) else ()
        return self._observation, reward, terminated, truncated, info

    def withdraw(self) -> Observation:
        """Drives the arm away from what it has done; gives what is seen then, base frame.

        Nothing moves where the plan is another than to drive.
        """
        claimed = (self._agent,)  # the success that is looked at: nothing else is touched
        plan = self._planner(ResetRequest(self._agent, False, self._observation, claimed))
        if plan.kind is ResetKind.WAYPOINTS:
            self._follow("", plan.waypoints, plan.gripper)
            self._driven = True
        return self._observation

    def is_done(self) -> bool:
        """The environment's own word on the task of the agent that acts, as of the newest look."""
        return self._agent in self._done

    def _confirmed_plan(self, driven: bool) -> ResetPlan:
        """The plan, as soon as no person has to act any more."""
        told = ""
        while True:
            request = ResetRequest(self._agent, driven, self._observation, self._solved())
            plan = self._planner(request)
            if plan.kind is not ResetKind.CONFIRM:
                return plan
            if self._stop():
                raise ResetFault("reset: stopped while a person had still to confirm")
            if plan.message != told:
                self._say(plan.message)
                told = plan.message
            self._sleep(ASK_AGAIN_S)
            self._follow("", np.empty((0, 8)), None)  # the person may have moved arm and object

    def _follow(self, agent: str, waypoints: np.ndarray, gripper: float | None) -> dict[str, Any]:
        options = {"agent": agent, "waypoints": waypoints, "gripper": gripper}
        return self._reset(seed=None, options=options)

    def _reset(self, seed: int | None, options: dict | None) -> dict[str, Any]:
        self._observation, info = self.env.reset(seed=seed, options=options)
        self._done = tuple(info.get("solved", self._done))
        self._rescued |= bool(info.get("rescued", False))
        return info

    def _solved(self) -> tuple[str, ...]:
        judged = [agent for agent in self._judges if self._holds(agent)]
        return (*judged, *(agent for agent in self._done if agent not in self._judges))

    def _holds(self, agent: str) -> bool:
        """Whether the agent's reward takes what is seen now for a success."""
        rest = np.zeros(self.action_space.shape, np.float32)
        step = Step(self._observation, rest, self._observation, began_ns=time.time_ns())
        try:
            return self._judges[agent](step).success
        except Fault:
            raise
        except ValueError as error:
            raise ResetFault(f"reset: reward of {agent}: {error}") from None
