from dataclasses import dataclass, field
from typing import Any

import pytest
import rclpy
from rclpy.node import Node

from serl_learner.config import ConfigError
from serl_learner.domain import acquire_domain
from serl_learner.parameters import read_agents, read_parameters, read_run, read_section

pytestmark = pytest.mark.ros

FILE = """
/**:
  ros__parameters:
    task: pendulum
    learner:
      batch_size: 64
      utd_ratio: 2
      hidden: [32, 16]
      arguments: {scale: [0.5, 1.5], deep: {on: true}}
"""


@dataclass(frozen=True)
class Config:
    batch_size: int = 256
    utd_ratio: float = 4.0
    hidden: tuple[int, ...] = (256, 256)
    name: str = "default"
    arguments: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def make_node(tmp_path, monkeypatch):
    """A node with the parameters of FILE, changed by more arguments."""
    (tmp_path / "task.yaml").write_text(FILE)
    context = rclpy.Context()
    with acquire_domain() as domain:
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
        rclpy.init(context=context, domain_id=domain.number)

        def make(*arguments):
            files = ["--params-file", str(tmp_path / "task.yaml")]
            return Node(
                "learner",
                context=context,
                cli_args=["--ros-args", *files, *arguments],
                automatically_declare_parameters_from_overrides=True,
            )

        yield make
        rclpy.try_shutdown(context=context)


def test_sections_become_nested_and_plain(make_node):
    parameters = read_parameters(make_node())
    assert parameters["task"] == "pendulum"
    assert parameters["learner"]["hidden"] == [32, 16]
    assert type(parameters["learner"]["hidden"]) is list
    assert parameters["learner"]["arguments"] == {"scale": [0.5, 1.5], "deep": {"on": True}}


def test_a_section_becomes_its_dataclass(make_node):
    config = read_section(make_node(), "learner", Config)
    assert (config.batch_size, config.utd_ratio, config.hidden) == (64, 2.0, (32, 16))
    assert config.arguments == {"scale": [0.5, 1.5], "deep": {"on": True}}


def test_every_field_is_a_read_only_parameter(make_node):
    node = make_node()
    read_section(node, "learner", Config)
    assert node.get_parameter("learner.name").value == "default"
    for name in ("learner.batch_size", "learner.name"):
        assert node.describe_parameter(name).read_only


def test_agent_task_and_run_must_be_given(make_node):
    arguments = ("-r", "__ns:=/forward", "-p", "run.directory:=/tmp/run", "-p", "run.seed:=7")
    task, run = read_run(make_node(*arguments))
    assert (task, run.directory, run.seed) == ("pendulum", "/tmp/run", 7)
    with pytest.raises(ConfigError, match=r"^run\.directory: expected one, got none$"):
        read_run(make_node("-r", "__ns:=/forward"))
    node = make_node("-r", "__ns:=/forward")
    assert read_agents(node) == {"forward": read_parameters(node)}
    with pytest.raises(ConfigError, match=r"^namespace: expected one, got none$"):
        read_agents(make_node())


def test_several_agents_are_the_keys_of_their_section(make_node):
    arguments = ("-p", "agents.up.reward.source:=pose", "-p", "agents.down.rlpd.discount:=0.5")
    agents = read_agents(make_node(*arguments))
    assert agents == {"down": {"rlpd": {"discount": 0.5}}, "up": {"reward": {"source": "pose"}}}
    assert list(agents) == ["down", "up"]
    with pytest.raises(ConfigError, match=r"^namespace: expected none with agents .*, got left$"):
        read_agents(make_node("-r", "__ns:=/left", *arguments))


def test_errors_name_the_key(make_node):
    with pytest.raises(ConfigError, match=r"^learner\.name: expected str, got 3$"):
        read_section(make_node("-p", "learner.name:=3"), "learner", Config)
    with pytest.raises(ConfigError, match=r"^learner\.batchsize: unknown"):
        read_section(make_node("-p", "learner.batchsize:=3"), "learner", Config)
