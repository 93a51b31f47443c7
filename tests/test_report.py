"""`serl report` trains both ways over real nodes, and tells which is better."""

import pytest
import yaml
from serl_command import serl
from test_train import TASK

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_one_command_trains_clones_and_compares(tmp_path):
    task, output = tmp_path / "reach.yaml", tmp_path / "comparison"
    task.write_text(yaml.safe_dump({"/**": {"ros__parameters": TASK}}))
    short = ("--set", "actor.max_steps=600", "--set", "bc.steps=20")
    wanted = ("report", "--tasks", task, "--seeds", 0, "--clone-demos", 3, "--output", output)
    done = serl(*wanted, *short)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (output / "comparison.md").read_text()
    assert text in done.stdout and "comparison.png" in done.stdout
    assert "| reach | RL, 20 demonstrations, state | 0 | " in text
    assert "| reach | cloning, 3 demonstrations, state | 0 | " in text
    assert (output / "comparison.png").stat().st_size > 10_000
    again = serl(*wanted, *short)
    assert again.returncode == 0 and "serl report: trains" not in again.stdout
