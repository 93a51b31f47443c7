"""Nodes that share a process."""

import signal
import sys
from pathlib import Path

import pytest
from running import Process, parameters, read_log, wait_for_log

pytestmark = pytest.mark.ros


@pytest.fixture
def contain(tmp_path):
    """Starts a container."""
    started = []

    def contain(*nodes: str) -> Process:
        command = [sys.executable, "-m", "serl_learner.container_node", *nodes]
        started.append(Process(command, tmp_path / "container.log"))
        return started[-1]

    yield contain
    for process in started:
        process.kill()
        print(process.text)


def learner_and_actor(file: Path) -> list[str]:
    return [f"serl_learner/learner_node:agent={file}", f"serl_actor/actor_node:agent={file}"]


def test_all_end_when_one_is_done(contain, tmp_path):
    file = parameters(tmp_path, max_steps=60)
    container = contain(*learner_and_actor(file))
    assert container.wait() == 0, container.text
    assert len(read_log(file)) == 60
    assert list(tmp_path.glob("run/checkpoints/*/policy.safetensors"))  # of the learner's end


def test_all_end_when_they_are_told_to(contain, tmp_path):
    file = parameters(tmp_path, max_steps=100_000)
    container = contain(*learner_and_actor(file))
    wait_for_log(file, 40)
    container.process.send_signal(signal.SIGINT)
    assert container.wait() == 0, container.text
    assert "Traceback" not in container.text


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([], "expected PACKAGE/NODE:NAMESPACE=PARAMETER_FILE, got ''"),
        (["learner_node:agent={file}"], "got 'learner_node:agent="),
        (["serl_learner/teacher_node:agent={file}"], "No module named 'serl_learner.teacher_node'"),
        (["serl_learner/trainer:agent={file}"], "serl_learner/trainer: expected a node, got 0"),
        # What one raises ends the other, which is made first and would run for ever.
        (
            ["serl_learner/learner_node:agent={file}", "serl_actor/actor_node:={file}"],
            "namespace: expected one, got none",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(contain, tmp_path, nodes, says):
    file = parameters(tmp_path)
    container = contain(*(node.format(file=file) for node in nodes))
    assert container.wait() == 2, container.text
    assert says in container.text and container.text.count("\n") == 1
