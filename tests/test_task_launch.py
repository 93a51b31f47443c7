"""The launch files with ROS 2's launch: a run trains, comes back, ends; a person records."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from ament_index_python import has_resource
from running import wait_until
from serl_command import node_processes
from terminal import Terminal

from serl_learner.transition_log import load_transitions

ROOT = Path(__file__).resolve().parents[1]
CTRL_C = b"\x03"
pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(not has_resource("packages", "ros2launch"), reason="needs ros2launch"),
]


@pytest.fixture
def launch() -> Iterator[Callable[..., Terminal]]:
    """`ros2 launch` in a terminal, with the environments of the tests."""
    started = []
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def launch(name: str, **arguments) -> Terminal:
        command = ["ros2", "launch", str(ROOT / f"launch/{name}.launch.py")]
        command += [f"{key}:={value}" for key, value in arguments.items()]
        started.append(Terminal(command, variables))
        return started[-1]

    yield launch
    for each in started:
        if each.process.poll() is None:
            each.press(CTRL_C)
            each.ends()
        each.close()


def logged(run: Path) -> int:
    """Steps of the actor."""
    file = run / "transitions/actor.mcap"
    return len(list(load_transitions(file, "pcb_insertion"))) if file.exists() else 0


def test_killed_nodes_come_back_and_ctrl_c_ends_all(launch, tmp_path):
    run = tmp_path / "run"
    training = launch("pcb_insertion", observations="state", demos=1, run_dir=run)
    for node in ("learner_node", "actor_node"):
        before = logged(run)

        def acts(before=before) -> bool:
            training.take()
            return logged(run) >= before + 20

        wait_until(acts, lambda: training.text)
        (victim,) = node_processes(run, node)
        os.kill(victim, signal.SIGKILL)

        def back(node=node, victim=victim) -> bool:
            training.take()
            return len(set(node_processes(run, node)) - {victim}) == 1

        wait_until(back, lambda: training.text)
    steps = logged(run)
    wait_until(lambda: logged(run) >= steps + 20, lambda: training.text)
    training.press(CTRL_C)
    assert training.ends() == 0, training.text
    assert not node_processes(run)
    assert training.text.count("process has finished cleanly") == 3  # the preparation, two nodes
    assert "failed to terminate" not in training.text  # nothing had to be killed
    assert "Traceback" not in training.text

    other = launch("pcb_insertion", run_dir=run, robot="fr3")
    assert other.ends() == 1
    assert "robot: expected none, which the run has already, got fr3" in other.text


def test_all_nodes_in_one_process_train_to_the_last_step(launch, tmp_path):
    run = tmp_path / "run"
    new = {"observations": "state", "demos": 1, "max_steps": 40, "run_dir": run}
    training = launch("pcb_insertion", processes="one", **new)
    assert training.ends() == 0, training.text
    assert training.text.count("process started") == 2  # the preparation, the container
    assert logged(run) == 40
    assert not node_processes(run)


def test_a_mistake_ends_the_launch_with_one_line_that_says_it(launch, tmp_path):
    run = tmp_path / "run"
    for arguments, says in (
        ({"robot": "fr2"}, "Valid options are: ['none', 'sim_node', 'fr3', "),
        ({"observations": "touch"}, "Valid options are: ['state', 'vision']"),
        ({"demos": "none.mcap"}, "serl: --demos none.mcap: no such file; expected an MCAP file"),
    ):
        training = launch("pcb_insertion", run_dir=run, **arguments)
        assert training.ends() == 1, training.text
        assert says in training.text
        assert "Traceback" not in training.text
    assert not run.exists()


def test_a_person_at_the_keyboard_records_under_launch(launch, tmp_path):
    task = {"task": "pointer", "environment": {"id": "pointer:Pointer-v0"}}
    file, output = tmp_path / "pointer.yaml", tmp_path / "demos.mcap"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": task}}))
    what = {"task": file, "device": "keyboard", "episodes": 1, "output": output}
    recording = launch("record_demos", **what)
    recording.shows("F drops the episode")
    recording.shows("kept: 1 of 1", keys=b"w")
    assert recording.ends() == 0, recording.text
    assert any(transition.intervened for transition in load_transitions(output, "pointer"))
