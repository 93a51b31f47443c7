import os
import subprocess
import sys

import pytest

from serl_learner.config import ConfigError
from serl_learner.domain import Claim, acquire_domain


@pytest.fixture(autouse=True)
def own_lock_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_domains_differ_and_come_back():
    with acquire_domain() as first, acquire_domain() as second:
        assert first.number != second.number
        assert {first.number, second.number} <= set(range(1, 101))
        number = first.number
    with acquire_domain(number) as again:
        assert again.number == number


def test_a_domain_in_use_names_the_process():
    with acquire_domain(7), pytest.raises(ConfigError) as raised:
        acquire_domain(7)
    assert str(raised.value) == f"ROS domain 7 is in use by process {os.getpid()}"


def test_a_killed_process_leaves_no_lock(tmp_path):
    script = (
        f"import tempfile, os; tempfile.tempdir = {str(tmp_path)!r}\n"
        "from serl_learner.domain import Claim, acquire_domain\n"
        "domain = acquire_domain(8)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    acquire_domain(8).release()


@pytest.mark.parametrize("number", [-1, 102])
def test_refuses_numbers_without_ports(number):
    with pytest.raises(ConfigError, match="expected 0 to 101"):
        acquire_domain(number)


def test_all_in_use(monkeypatch):
    monkeypatch.setattr("serl_learner.domain.DOMAINS", range(1, 3))
    with acquire_domain(), acquire_domain(), pytest.raises(ConfigError, match="found all in use"):
        acquire_domain()


def test_a_claim_is_one_process_alone():
    first = Claim("domain_7_agent", "agent /agent has a learner, process")
    Claim("domain_8_agent", "").release()
    expected = f"^agent /agent has a learner, process {os.getpid()}$"
    with pytest.raises(ConfigError, match=expected):
        Claim("domain_7_agent", "agent /agent has a learner, process")
    first.release()
    Claim("domain_7_agent", "").release()
