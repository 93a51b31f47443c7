"""Two machines as network namespaces, between which one packet of a hundred is lost. Needs root."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from running import Process

from serl_learner.discovery import PROFILES, RANGE

pytestmark = [pytest.mark.ros, pytest.mark.slow]

COUNT = 40
LOSS = "numgen random mod 100 < 1 drop"
MEASURE = (
    "import json, sys; from serl_bringup.benchmark_transport import measure;"
    f" print(json.dumps(measure({COUNT}, sys.argv[1])))"
)


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def namespaces():
    """Their names, by machine; loss at the entrance of each, so that of fragments too."""
    if os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("nft")):
        pytest.skip("needs root, iproute2 and nftables")
    names = {machine: f"{machine}_{os.getpid()}" for machine in ("robot", "learner")}
    try:
        _connect(*names.values())
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr}")
    else:
        yield names
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _connect(first, second):
    for name in (first, second):
        run("ip", "netns", "add", name)
    run(*f"ip -n {first} link add eth0 type veth peer name eth0 netns {second}".split())
    for number, name in enumerate((first, second), 1):
        run(*f"ip -n {name} addr add 10.77.1.{number}/24 dev eth0".split())
        for device in ("lo", "eth0"):
            run(*f"ip -n {name} link set {device} up".split())
        run(*f"ip -n {name} route add 224.0.0.0/4 dev eth0".split())
        chain = "{ type filter hook ingress device eth0 priority 0; }"
        rules = f"add table netdev t; add chain netdev t c {chain}; add rule netdev t c {LOSS}"
        run("ip", "netns", "exec", name, "nft", rules)


def test_every_transition_arrives_though_packets_are_lost(namespaces, tmp_path):
    variables = {n: v for n, v in os.environ.items() if n not in (RANGE, PROFILES)}
    started = {}
    try:
        for machine, name in namespaces.items():
            command = ["ip", "netns", "exec", name, sys.executable, "-c", MEASURE, machine]
            started[machine] = Process(command, tmp_path / f"{machine}.log", env=variables)
        assert started["learner"].wait() == 0, started["learner"].text
        figures = json.loads(started["learner"].text.splitlines()[-1])
        assert (figures["received"], figures["lost"]) == (COUNT, 0)
        assert figures["latency_ms"]["median"] < 2000.0  # nothing waits for long to be sent again
        assert started["robot"].wait() == 0, started["robot"].text
    finally:
        for process in started.values():
            process.kill()
