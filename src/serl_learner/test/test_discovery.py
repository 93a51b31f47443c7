import pytest

from serl_learner import discovery
from serl_learner.discovery import (
    LOOPBACK,
    NETWORK,
    PROFILES,
    RANGE,
    is_local,
    local_discovery,
    network_discovery,
)


@pytest.mark.parametrize("profiles", ["", "/etc/mine.xml"])
@pytest.mark.parametrize("middleware", ["rmw_fastrtps_cpp", "rmw_cyclonedds_cpp"])
def test_what_is_chosen_is_local_and_leaves_another_profile(monkeypatch, middleware, profiles):
    monkeypatch.setattr(discovery, "get_rmw_implementation_identifier", lambda: middleware)
    monkeypatch.setenv(PROFILES, profiles)
    assert not (profiles and PROFILES in local_discovery())
    for name, value in local_discovery().items():
        monkeypatch.setenv(name, value)
    assert is_local()


@pytest.mark.parametrize(
    ("reach", "profiles", "local"),
    [
        ("LOCALHOST", "", True),
        ("OFF", "", True),
        ("SUBNET", str(LOOPBACK), False),
        ("SUBNET", str(NETWORK), False),
        ("SYSTEM_DEFAULT", "", False),
        ("SYSTEM_DEFAULT", "/etc/mine.xml", False),
        (None, str(LOOPBACK), False),
    ],
)
def test_local_is_what_reaches_no_other_machine(monkeypatch, reach, profiles, local):
    monkeypatch.setenv(PROFILES, profiles)
    if reach is None:
        monkeypatch.delenv(RANGE, raising=False)
    else:
        monkeypatch.setenv(RANGE, reach)
    assert is_local() == local


@pytest.mark.parametrize(
    ("middleware", "shell", "chosen"),
    [
        ("rmw_fastrtps_cpp", {}, {RANGE: "SUBNET", PROFILES: str(NETWORK)}),
        ("rmw_fastrtps_cpp", {RANGE: "OFF", PROFILES: "/etc/mine.xml"}, {RANGE: "OFF"}),
        ("rmw_cyclonedds_cpp", {}, {RANGE: "SUBNET"}),
    ],
)
def test_between_machines_what_the_shell_says_stays(monkeypatch, middleware, shell, chosen):
    monkeypatch.setattr(discovery, "get_rmw_implementation_identifier", lambda: middleware)
    for name in (RANGE, PROFILES):
        monkeypatch.delenv(name, raising=False)
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    assert network_discovery() == chosen
