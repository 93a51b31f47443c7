import shutil
from collections import namedtuple

import pytest

from serl_bringup import doctor
from serl_bringup.doctor import Check
from serl_learner.discovery import local_discovery
from serl_learner.domain import acquire_domain

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def own_domain(monkeypatch):
    with acquire_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain.number))
        for name, value in local_discovery().items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.parametrize(
    ("statuses", "code"), [(["ok", "ok"], 0), (["ok", "warn"], 0), (["warn", "fail", "ok"], 1)]
)
def test_only_a_failure_is_an_exit_code(monkeypatch, capsys, statuses, code):
    found = [Check(f"part {i}", status, "here") for i, status in enumerate(statuses)]
    monkeypatch.setattr(doctor, "checks", lambda: found)
    assert doctor.run() == code
    assert all(check.name in capsys.readouterr().out for check in found[:1])


@pytest.mark.parametrize(("free_gb", "status"), [(0.5, "fail"), (5.0, "warn"), (50.0, "ok")])
def test_disk(monkeypatch, tmp_path, free_gb, status):
    usage = Usage(total=1e12, used=0, free=free_gb * 1e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert doctor.disk(tmp_path).status == status


def test_a_missing_package_fails_by_name(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    missing, here = doctor.packages()
    assert (missing.name, missing.status) == ("no-such-package", "fail")
    assert here.found.startswith("numpy ") and here.status == "ok"


@pytest.mark.parametrize(
    ("number", "reach", "status"),
    [(None, None, "warn"), ("0", "LOCALHOST", "ok"), ("7", None, "ok"), ("", "", "warn")],
)
def test_the_domain_of_everyone_is_warned_about(monkeypatch, number, reach, status):
    names = {"ROS_DOMAIN_ID": number, "ROS_AUTOMATIC_DISCOVERY_RANGE": reach}
    for name, value in names.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert doctor.domain().status == status


def test_rendering_says_what_went_wrong(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "no-such-backend")
    check = doctor.rendering()
    assert check.status == "fail"
    assert "no-such-backend" in check.found and "\n" not in check.found


def test_rendering():
    assert doctor.rendering().status in ("ok", "warn")


@pytest.mark.ros
def test_middleware_measures_a_round_trip(own_domain):
    check = doctor.middleware()
    assert check.status in ("ok", "warn"), check
    assert "rmw_" in check.found and "ms" in check.found


@pytest.mark.ros
def test_a_middleware_that_is_not_there_fails(own_domain, monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_of_nobody_cpp")
    check = doctor.middleware()
    assert check.status == "fail"
    assert check.advice and "\n" not in check.found


def test_a_probe_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE_TIMEOUT_S", 0.2)
    with pytest.raises(doctor.ProbeError, match="no result"):
        doctor._probe(["sleep", "30"])
