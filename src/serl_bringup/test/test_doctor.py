import shutil
from collections import namedtuple

import pytest

from serl_bringup import doctor
from serl_bringup.doctor import Setup, check, machine, network, software
from serl_bringup.doctor.check import Check
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
    assert machine.disk(tmp_path).status == status


def test_a_missing_package_fails_by_name(monkeypatch):
    monkeypatch.setattr(software, "PACKAGES", ("numpy", "no-such-package"))
    missing, here = software.packages()
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
    assert network.domain().status == status


def test_rendering_says_what_went_wrong(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "no-such-backend")
    check = software.rendering()
    assert check.status == "fail"
    assert "no-such-backend" in check.found and "\n" not in check.found


def test_rendering():
    assert software.rendering().status in ("ok", "warn")


@pytest.mark.ros
def test_middleware_measures_a_round_trip(own_domain):
    check = network.middleware()
    assert check.status in ("ok", "warn"), check
    assert "rmw_" in check.found and "ms" in check.found


@pytest.mark.ros
def test_a_middleware_that_is_not_there_fails(own_domain, monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_of_nobody_cpp")
    check = network.middleware()
    assert check.status == "fail"
    assert check.advice and "\n" not in check.found


def test_a_probe_that_hangs_is_ended():
    with pytest.raises(check.ProbeError, match="no result"):
        check.probe(["sleep", "30"], timeout_s=0.2)


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(check.ProbeError, match=r"^no_such_program is not installed$"):
        check.probe(["no_such_program"])


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_what_a_robot_needs_counts_where_one_is_named(monkeypatch, capsys, status, code):
    monkeypatch.setattr(doctor, "checks", lambda: [Check("Python", "ok", "here")])
    monkeypatch.setattr(doctor, "robot_checks", lambda _: [Check("arm", status, "there")])
    assert doctor.run(Setup("fr3")) == code
    assert "for fr3" in capsys.readouterr().out
    assert doctor.run() == 0
    assert "arm" not in capsys.readouterr().out


def test_disk_speed_is_measured_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CHECKPOINT_BYTES", 1 << 20)
    found = machine.disk_speed(tmp_path)
    assert found.status == "ok" and "MB/s, fsync" in found.found
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(machine, "SLOW_CHECKPOINT_S", 0.0)
    assert "a checkpoint stalls the learner" in machine.disk_speed(tmp_path).advice


def test_a_driver_older_than_pytorchs_cuda_is_named(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    file = tmp_path / "version"
    file.write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23 02:33:39 UTC 2025\n"
        "GCC version:  gcc version 13.3.0\n"
    )
    old = software.gpu(file)
    assert old.status == "warn" and old.found == "driver 570.86.15, PyTorch for CUDA 13.2"
    assert old.advice.startswith("update the driver to 580")
    file.write_text(file.read_text().replace("570.86.15", "580.95.05"))
    assert "PyTorch finds no GPU" in software.gpu(file).advice
    assert software.gpu(tmp_path / "none").found == "none that PyTorch can use"
