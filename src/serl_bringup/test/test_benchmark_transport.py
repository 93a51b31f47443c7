import os
import subprocess
import sys

import pytest

from serl_bringup.benchmark_transport import measure
from serl_learner.discovery import local_discovery
from serl_learner.domain import acquire_domain


@pytest.mark.ros
def test_counts_and_times_every_transition():
    figures = measure(count=20)
    assert (figures["sent"], figures["received"], figures["lost"]) == (40, 40, 0)
    for size in ("state", "image"):
        latency = figures["latency_ms"][size]
        assert 0.0 < latency["median"] <= latency["p99"] < 1000.0


@pytest.mark.ros
def test_one_machine_sends_and_the_other_counts(monkeypatch):
    with acquire_domain() as domain:
        for name, value in {**local_discovery(), "ROS_DOMAIN_ID": str(domain.number)}.items():
            monkeypatch.setenv(name, value)
        send = "from serl_bringup.benchmark_transport import measure; measure(5, 'robot')"
        sender = subprocess.Popen([sys.executable, "-c", send], env=dict(os.environ))
        try:
            figures = measure(5, "learner")
            assert sender.wait(timeout=60) == 0
        finally:
            sender.kill()
    assert (figures["expected"], figures["received"], figures["lost"]) == (5, 5, 0)
