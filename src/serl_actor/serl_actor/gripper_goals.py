"""One goal of a gripper at a time: the newest wish replaces the goal that is under way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

SUCCEEDED = 4  # of action_msgs/GoalStatus


class Client(Protocol):
    """What is used of rclpy's ActionClient."""

    def server_is_ready(self) -> bool: ...

    def send_goal_async(self, goal: Any) -> Any: ...


@dataclass(eq=False)
class _Goal:
    opening: float
    handle: Any = None  # as soon as it is accepted
    cancelled: bool = False  # asked to be


class GripperGoals:
    """Some grippers mix up two goals at once, so that each is cancelled before the next is sent.

    A wish that is fulfilled or under way sends nothing. One that fails is told and forgotten: a
    gripper never moves later than it was asked to. All calls come from one thread.
    """

    def __init__(
        self,
        client: Client,
        make_goal: Callable[[float], Any],
        warn: Callable[[str], None],
    ):
        self._client, self._make_goal, self._warn = client, make_goal, warn
        self._wanted: float | None = None
        self._reached: float | None = None
        self._goal: _Goal | None = None  # under way

    def want(self, opening: float) -> None:
        """0 closed to 1 open."""
        if not self._client.server_is_ready():
            self._warn("gripper: expected its action server, found none; stays as it is")
            self._goal = self._wanted = self._reached = None
            return
        self._wanted = opening
        self._advance()

    def _advance(self) -> None:
        goal = self._goal
        if goal is None:
            if self._wanted not in (None, self._reached):
                self._send(self._wanted)
        elif goal.handle is not None and not goal.cancelled and goal.opening != self._wanted:
            goal.cancelled = True
            cancelled = goal.handle.cancel_goal_async()
            cancelled.add_done_callback(lambda future: self._on_cancel(goal, future.result()))

    def _send(self, opening: float) -> None:
        self._reached = None
        self._goal = goal = _Goal(opening)
        sent = self._client.send_goal_async(self._make_goal(opening))
        sent.add_done_callback(lambda future: self._on_answer(goal, future.result()))

    def _on_answer(self, goal: _Goal, handle: Any) -> None:
        if not handle.accepted:
            self._end(goal, "refused its goal")
            return
        goal.handle = handle
        ended = handle.get_result_async()
        ended.add_done_callback(lambda future: self._on_result(goal, future.result().status))
        if goal is self._goal:
            self._advance()

    def _on_result(self, goal: _Goal, status: int) -> None:
        self._end(goal, "" if status == SUCCEEDED else "did not come to its goal")

    def _on_cancel(self, goal: _Goal, response: Any) -> None:
        if not response.goals_canceling:  # its server knows no such goal, perhaps a new one
            self._end(goal, "did not take back its goal")

    def _end(self, goal: _Goal, fault: str) -> None:
        """Of the goal under way; once."""
        if goal is not self._goal:
            return
        self._goal = None
        if not fault:
            self._reached = goal.opening
        elif goal.opening == self._wanted:
            self._warn(f"gripper: {fault}")
            self._wanted = None
        self._advance()
