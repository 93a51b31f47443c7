from types import SimpleNamespace

import pytest

from serl_actor.gripper_goals import SUCCEEDED, GripperGoals
from serl_actor.parallel_gripper import ParallelGripper
from serl_learner.config import ConfigError

CANCELED, ABORTED = 5, 6  # of action_msgs/GoalStatus


class Future:
    def __init__(self):
        self._callbacks, self._result = [], None

    def add_done_callback(self, callback):
        self._callbacks.append(callback)

    def set(self, result):
        self._result = result
        for callback in self._callbacks:
            callback(self)

    def result(self):
        return self._result


class Server:
    """An action server by hand: what it was sent, and answers when the test gives them."""

    def __init__(self):
        self.ready = True
        self.sent, self.cancels = [], 0

    def server_is_ready(self):
        return self.ready

    def send_goal_async(self, goal):
        self.sent.append(goal)
        self._answer, self._result, self._cancel = Future(), Future(), Future()
        return self._answer

    def accept(self):
        self._answer.set(
            SimpleNamespace(
                accepted=True,
                get_result_async=lambda result=self._result: result,
                cancel_goal_async=self._take_cancel,
            )
        )

    def _take_cancel(self):
        self.cancels += 1
        return self._cancel

    def refuse(self):
        self._answer.set(SimpleNamespace(accepted=False))

    def agree_to_cancel(self, *goals):
        self._cancel.set(SimpleNamespace(goals_canceling=goals))

    def end(self, status):
        self._result.set(SimpleNamespace(status=status))


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def goals(server, warnings):
    return GripperGoals(server, lambda opening: opening, warnings.append)


def test_a_wish_that_is_under_way_or_fulfilled_is_sent_once(goals, server):
    goals.want(0.0)
    goals.want(0.0)
    server.accept()
    goals.want(0.0)
    server.end(SUCCEEDED)
    goals.want(0.0)
    assert server.sent == [0.0] and server.cancels == 0
    goals.want(1.0)
    assert server.sent == [0.0, 1.0]


@pytest.mark.parametrize("accepted_first", [True, False])
def test_the_newest_wish_is_sent_when_the_goal_before_has_ended(goals, server, accepted_first):
    goals.want(0.0)
    if accepted_first:
        server.accept()
    goals.want(0.5)
    goals.want(1.0)
    if not accepted_first:
        server.accept()
    assert server.sent == [0.0] and server.cancels == 1
    server.agree_to_cancel("it")
    assert server.sent == [0.0]  # it has not stopped yet
    server.end(CANCELED)
    assert server.sent == [0.0, 1.0]


def test_what_fails_is_told_and_tried_again_only_when_asked(goals, server, warnings):
    goals.want(0.0)
    server.refuse()
    goals.want(0.0)
    server.accept()
    server.end(ABORTED)
    assert server.sent == [0.0, 0.0]
    assert warnings == [
        "gripper: refused its goal",
        "gripper: did not come to its goal",
    ]


def test_a_server_that_is_not_there_moves_nothing_later(goals, server, warnings):
    server.ready = False
    goals.want(0.0)
    server.ready = True
    assert server.sent == [] and len(warnings) == 1
    goals.want(1.0)
    assert server.sent == [1.0]


def test_a_goal_that_a_new_server_does_not_know_holds_nothing_up(goals, server):
    goals.want(0.0)
    server.accept()
    goals.want(1.0)
    server.agree_to_cancel()  # no goal
    assert server.sent == [0.0, 1.0]


def test_openings_are_positions_of_the_joint():
    knuckle = ParallelGripper("a", joint="j", closed=0.8, opened=0.0)
    positions = [knuckle.position(opening) for opening in (0.0, 0.25, 1.0, 7.0)]
    assert positions == pytest.approx([0.8, 0.6, 0.0, 0.0])
    openings = [knuckle.opening(position) for position in (0.9, 0.8, 0.2, -0.1)]
    assert openings == pytest.approx([0.0, 0.0, 0.75, 1.0])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"action": ""}, "action: expected a name, got none"),
        ({"action_type": "control_msgs/action/Jog"}, "GripperCommand, got control_msgs/action/Jog"),
        ({"closed": 0.04}, "opened: expected another position than closed, got 0.04"),
    ],
)
def test_mistakes_are_told(values, says):
    with pytest.raises(ConfigError, match=says):
        ParallelGripper(**({"action": "a", "joint": "j"} | values))
