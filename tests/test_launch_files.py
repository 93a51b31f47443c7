"""What the launch files start, where there is no launch: nodes, parameter files and commands."""

import ast
import os
import re
from pathlib import Path

import pytest
import yaml
from ament_index_python.packages import get_package_prefix

from serl_bringup.cli import make_parser
from serl_bringup.config_files import names
from serl_bringup.launch_arguments import (
    gain_set,
    prepare_command,
    record_command,
    recording_arguments,
    robot_of_run,
    training_arguments,
)
from serl_bringup.nodes import run_nodes
from serl_bringup.task import load_tasks, save_team
from serl_learner.config import ConfigError, RunConfig
from serl_learner.container_node import node_class

ROOT = Path(__file__).resolve().parents[1]
FILES = {path.name.removesuffix(".launch.py"): path for path in ROOT.glob("launch/*.launch.py")}
TASKS = sorted(FILES.keys() - {"robot", "record_demos"})
ALONE = {"/agent/learner_node", "/agent/actor_node"}
ON_ROBOT = ALONE | {"/agent/reward_node", "/agent/reset_agent_node", "/agent/display_node"}
TEAM = {"/forward/learner_node", "/backward/learner_node", "//reset_agent_node", "//actor_node"}
EXPECTED = {  # by task and robot
    ("pcb_insertion", None): ALONE,
    ("pcb_insertion", "sim_node"): ON_ROBOT | {"//robot_node"},
    ("pcb_insertion", "fr3"): ON_ROBOT,
    ("peg_insertion", None): ALONE,
    ("cable_routing", None): ALONE,
    ("object_relocation", None): TEAM,
    ("object_relocation", "mock"): TEAM
    | {"/forward/reward_node", "/backward/reward_node", "//display_node"},
}


def prepared(task: str, robot: str | None, folder: Path) -> Path:
    """A run folder's parameter files."""
    tasks = load_tasks(str(ROOT / f"config/tasks/{task}.yaml"), robot=robot)
    run = RunConfig(directory=str(folder))
    if len(tasks) == 1:
        tasks["agent"].in_run(run).save(folder / "config.yaml")
        return folder
    for agent, own in tasks.items():
        (folder / agent).mkdir()
        own.save(folder / agent / "config.yaml")
    save_team(tasks, task, run, folder / "config.yaml")
    return folder


def is_installed(package: str, executable: str) -> bool:
    """Where `ros2 run` and launch look for it."""
    return os.access(Path(get_package_prefix(package), "lib", package, executable), os.X_OK)


def test_every_task_of_the_paper_has_a_launch_file():
    assert TASKS == ["cable_routing", "object_relocation", "pcb_insertion", "peg_insertion"]
    for task in TASKS:
        (call,) = [n for n in ast.walk(ast.parse(FILES[task].read_text())) if is_call(n)]
        assert [argument.value for argument in call.args] == [task]


def is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "training"


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"robot"}))
def test_the_command_in_a_launch_file_is_one_that_it_takes(name):
    (command,) = re.findall(
        r"ros2 launch (.+)", ast.get_docstring(ast.parse(FILES[name].read_text()))
    )
    path, *given = command.split()
    assert path == f"launch/{name}.launch.py"
    arguments = training_arguments(name) if name in TASKS else recording_arguments()
    choices = {argument.name: argument.choices for argument in arguments}
    for argument, value in (text.split(":=") for text in given):
        assert not choices[argument] or value in choices[argument]


@pytest.mark.parametrize(("task", "robot"), EXPECTED)
def test_a_run_has_the_nodes_that_it_needs_and_no_others(task, robot, tmp_path):
    nodes = run_nodes(prepared(task, robot, tmp_path))
    found = [f"/{node.namespace}/{node.executable}" for node in nodes]
    assert set(found) == EXPECTED[task, robot] and len(found) == len(set(found))
    assert nodes[-1].executable == "actor_node"
    for node in nodes:
        assert is_installed(node.package, node.executable)
        assert node.parameters.is_file() and not node.arguments
        agent = node.namespace if task == "object_relocation" else ""
        assert node.parameters.parent == tmp_path / agent
        assert callable(node_class(node.package, node.executable).run)


def test_any_of_them_share_a_process(tmp_path):
    folder = prepared("object_relocation", None, tmp_path)
    learners = tuple(
        f"serl_learner/learner_node:{agent}={folder}/{agent}/config.yaml"
        for agent in ("forward", "backward")
    )
    container, *others = run_nodes(folder, together=True)
    assert is_installed(container.package, container.executable)
    assert container.arguments == learners
    assert others == run_nodes(folder)[2:]
    (container,) = run_nodes(folder, one=True)
    shared = (
        f"serl_actor/{node}:={folder}/config.yaml" for node in ("reset_agent_node", "actor_node")
    )
    assert container.arguments == (*learners, *shared)


@pytest.mark.parametrize("task", TASKS)
def test_a_new_run_is_prepared_by_a_command_that_serl_takes(task):
    chosen = {argument.name: argument.default for argument in training_arguments(task)}
    arguments = make_parser().parse_args(prepare_command(task, chosen)[1:])
    assert (arguments.task, arguments.prepare, arguments.robot) == (task, True, None)
    assert arguments.max_steps is None
    assert gain_set(task) in names("gains")
    chosen |= {"robot": "fr3", "max_steps": "70", "demos": "demos/some.mcap"}
    arguments = make_parser().parse_args(prepare_command(task, chosen)[1:])
    assert (arguments.robot, arguments.max_steps) == ("fr3", 70)
    assert arguments.demos == "demos/some.mcap"


def test_demonstrations_are_recorded_by_a_command_that_serl_takes():
    chosen = {argument.name: argument.default for argument in recording_arguments()}
    chosen |= {"task": "object_relocation/forward", "device": "twist", "robot": "fr3"}
    arguments = make_parser().parse_args(record_command(chosen)[1:])
    assert (arguments.task, arguments.device) == (chosen["task"], "twist")
    assert (arguments.robot, arguments.episodes, arguments.output) == ("fr3", 20, None)
    assert gain_set(chosen["task"]) == "object_relocation"


def test_a_run_keeps_its_robot(tmp_path):
    config = prepared("pcb_insertion", "fr3", tmp_path) / "config.yaml"
    assert robot_of_run(config, "none") == robot_of_run(config, "fr3") == "fr3"
    with pytest.raises(
        ConfigError, match="robot: expected fr3, which the run has already, got ur5"
    ):
        robot_of_run(config, "ur5")


@pytest.mark.parametrize("robot", names("robots"))
def test_the_nodes_of_a_robot_are_executables(robot):
    text = yaml.safe_load((ROOT / f"config/robots/{robot}.yaml").read_text())
    for node in text["/**"]["ros__parameters"]["bringup"].get("nodes", {}).values():
        ours = node["package"].startswith("serl_")
        assert not ours or is_installed(node["package"], node["executable"])


def test_robot_launch_names_files_that_exist():
    text = FILES["robot"].read_text()
    for name in re.findall(r'CONFIG / "([\w./]+)"', text):
        assert (ROOT / "config" / name).exists()
