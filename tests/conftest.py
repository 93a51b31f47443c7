from collections.abc import Callable, Iterator

import pytest
from running import Running, Statuses

from serl_bringup.monitor_node import Monitor
from serl_learner.discovery import local_discovery
from serl_learner.domain import acquire_domain


@pytest.fixture(autouse=True)
def ros_domain(monkeypatch) -> Iterator[None]:
    """A ROS domain that no other run on this machine has."""
    with acquire_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain.number))
        for name, value in local_discovery().items():
            monkeypatch.setenv(name, value)
        yield


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
