"""The robot that a task's environment drives over topics: where it is, and how it is reset."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import gymnasium as gym

from serl_actor.planned_reset import PlannedReset
from serl_actor.reset import ResetPlanner
from serl_bringup.nodes import simulated_robot
from serl_bringup.processes import NodeProcess, node_environment
from serl_bringup.task import Task
from serl_learner.config import ConfigError
from serl_learner.discovery import network_discovery
from serl_learner.domain import acquire_domain


@contextmanager
def nodes_of(task: Task, across: bool = False) -> Iterator[None]:
    """Nodes that this process makes or starts talk to each other, and to the task's robot.

    Without a real one they have a domain of this machine to themselves. With one, or `across` two
    machines, it is the shell's, as for every other ROS program.
    """
    requested = requested_domain()
    if across:
        os.environ.update(node_environment(requested or 0, local=False) | network_discovery())
        yield
        return
    if task.needs_robot:
        os.environ.update(node_environment(requested or 0, local=False))
        yield
        return
    with acquire_domain(requested) as domain:
        os.environ.update(node_environment(domain.number))
        yield


@contextmanager
def robot_of(task: Task) -> Iterator[None]:
    """An environment that this process makes finds its robot; one that is simulated runs."""
    if not task.robot:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(nodes_of(task))
        if task.world is not None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="serl_robot_")))
            task.save(folder / "config.yaml")
            robot = simulated_robot(folder / "config.yaml")
            node = NodeProcess.of(robot, folder / "robot_node.log")
            stack.callback(node.stop)
        yield


def robot_resets(task: Task, seed: int) -> Callable[[gym.Env], gym.Env] | None:
    """For make_environment: an arm drives to its starts; None where it is put there.

    Whoever is there at a recording puts back what has to be, and says so at their device.
    """
    if not (task.robot and task.reset.start_pose):
        return None
    own = {"source": "scripted", "agents": (), "stir_count": 0, "stir_strokes": ()}
    planner = ResetPlanner(replace(task.reset, **own), seed)
    return partial(PlannedReset, planner=planner.plan, judges={})


def requested_domain() -> int | None:
    """That of the shell. Raises ConfigError where it is no number."""
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if text and not text.isdigit():
        raise ConfigError(f"ROS_DOMAIN_ID: expected a number from 0 to 101, got '{text}'")
    return int(text) if text else None
