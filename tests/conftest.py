import threading
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.node import Node
from running import Running, Statuses

from serl_bringup.monitor_node import Monitor
from serl_learner.discovery import local_discovery
from serl_learner.domain import acquire_domain
from serl_learner.run_node import spinning


@pytest.fixture(autouse=True)
def ros_domain(monkeypatch) -> Iterator[None]:
    """A ROS domain that no other run on this machine has."""
    with acquire_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain.number))
        for name, value in local_discovery().items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture
def node(ros_domain) -> Iterator[Node]:
    """The actor's, in the test's process."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node("actor", namespace="agent", context=context)
    with spinning(node, threading.Event()):
        yield node
    rclpy.try_shutdown(context=context)


@pytest.fixture
def start(ros_domain) -> Iterator[Callable[..., Running]]:
    """Starts nodes; none of them outlives the test. Of one that fails, all output is shown."""
    started = []

    def start(*arguments) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield start
    for running in started:
        running.kill()
        print(f"-- {running.name}:\n{running.text}")


@pytest.fixture
def statuses(ros_domain) -> Iterator[Statuses]:
    with Monitor("agent") as monitor:
        heard = Statuses(monitor)
        yield heard
        heard.take()
        print(f"-- last status of the learner: {heard.learner}")
