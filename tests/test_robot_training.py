"""Training over topics: any node may be started last, killed, and started again."""

import os
import sys

import pytest
from running import PATIENCE_S, Process, Statuses, wait_until

from serl_actor.robot_link import RobotFault, RobotLink
from serl_bringup.config_files import find_file
from serl_bringup.monitor_node import Monitor
from serl_bringup.processes import node_environment, ros_arguments
from serl_bringup.task import load_task
from serl_learner.config import RunConfig
from serl_learner.domain import acquire_domain
from serl_msgs.msg import ControllerState

pytestmark = [pytest.mark.ros, pytest.mark.slow]

NODES = {
    "learner_node": ("serl_learner.learner_node", "agent"),
    "reward_node": ("serl_reward.reward_node", "agent"),
    "reset_agent_node": ("serl_actor.reset_agent_node", "agent"),
    "actor_node": ("serl_actor.actor_node", "agent"),
    "robot_node": ("serl_sim.robot_node", ""),
}
# Without cameras, and acting at random: nothing here is about what is learned.
SMALL = {
    "environment.arguments.cameras": {},
    "environment.max_episode_steps": 12,
    "reset.random_xy": 0.005,
    "reset.lift": 0.0,
    "rlpd.hidden": [16, 16],
    "rlpd.ensemble": 2,
    "learner.observation_keys": ["pose", "force"],
    "learner.batch_size": 16,
    "learner.training_starts": 10,
    "learner.utd_ratio": 1.0,
    "learner.checkpoint_period": 10,
    "actor.random_steps": 100_000,
    "actor.max_steps": 100_000,
}
PROGRESS = 15  # transitions that the learner has to get after each change


class Nodes:
    """Of one run, each a process."""

    def __init__(self, folder):
        self._folder = folder
        path = str(find_file("tasks", "pcb_insertion"))
        task = load_task(path, observations="state", robot="sim_node", overrides=SMALL)
        self._config = folder / "config.yaml"
        task.in_run(RunConfig(directory=str(folder / "run"), resume=True)).save(self._config)
        self._running: dict[str, Process] = {}
        self._count = 0

    def start(self, name: str) -> None:
        module, namespace = NODES[name]
        command = [sys.executable, "-m", module, *ros_arguments(namespace, self._config)]
        self._count += 1
        log = self._folder / f"{name}_{self._count}.log"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._running[name] = Process(command, log, env=environment)

    def kill(self, name: str) -> None:
        self._running[name].kill()

    def kill_all(self) -> None:
        for process in self._running.values():
            process.kill()

    @property
    def text(self) -> str:
        return "\n".join(f"{name}: {node.text}" for name, node in self._running.items())


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    with acquire_domain() as domain:
        for name, value in node_environment(domain.number).items():
            monkeypatch.setenv(name, value)
        nodes = Nodes(tmp_path)
        yield nodes
        nodes.kill_all()


def stopped_by_itself(link: RobotLink) -> bool:
    try:
        return link.state().reason == ControllerState.TARGET_STALE
    except RobotFault:
        return False


@pytest.mark.parametrize("last", ["robot_node", "reset_agent_node"])
def test_any_node_may_be_started_last(nodes, last):
    with Monitor("agent") as monitor:
        statuses = Statuses(monitor)
        for name in NODES:
            if name != last:
                nodes.start(name)
        statuses.wait_for(lambda learner: learner.agent == "agent")  # they are up
        nodes.start(last)
        statuses.wait_for(lambda learner: learner.env_steps >= PROGRESS)


def test_any_node_may_be_killed_and_started_again(nodes):
    with Monitor("agent") as monitor:
        statuses = Statuses(monitor)
        for name in NODES:
            nodes.start(name)
        for name in NODES:
            before = statuses.wait_for(lambda learner: learner.env_steps >= PROGRESS).env_steps
            nodes.kill(name)
            if name == "actor_node":
                assert_the_arm_holds()
            nodes.start(name)
            wanted = before + PROGRESS
            statuses.wait_for(lambda learner, wanted=wanted: learner.env_steps >= wanted)
        assert statuses.wait_for(lambda learner: learner.missing == 0).critic_steps > 0


def assert_the_arm_holds() -> None:
    link = RobotLink({}, {}, 8)
    try:
        explain = f"the controller to stop by itself, within {PATIENCE_S} s"
        wait_until(lambda: stopped_by_itself(link), lambda: explain)
    finally:
        link.close()
