import gymnasium as gym
import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from franka_impedance_controller import Gains
from serl_bringup.config_files import find_file, names
from serl_bringup.task import load_task, load_tasks, save_team
from serl_bringup.task_sections import load_gains, parse_setting
from serl_learner.config import ConfigError, RunConfig, load_task_file


def write(path, sections):
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": sections}}, sort_keys=False))
    return str(path)


@pytest.mark.parametrize("name", names("tasks"))
def test_every_shipped_task_loads(name):
    assert all(task.environment.id for task in load_tasks(name).values())


@pytest.mark.parametrize("name", names("gains"))
def test_every_shipped_gain_set_is_one_of_the_law(name):
    gains = load_gains(name)
    assert gains.keys() >= {"stiffness", "damping", "clip_positive", "clip_negative"}
    assert Gains(**gains)


def test_observations_choose_a_variant_of_the_task(tmp_path):
    path = write(
        tmp_path / "mine.yaml",
        {
            "task": "mine",
            "observations": "state",
            "environment": {"id": "X-v0"},
            "learner": {"batch_size": 64, "utd_ratio": 4.0},
            "with_vision": {"learner": {"batch_size": 32}, "encoder": {"stored_views": 3}},
        },
    )
    state, vision = load_task(path), load_task(path, observations="vision")
    assert state.environment.arguments == {"observations": "state"}
    assert vision.environment.arguments == {"observations": "vision"}
    assert (state.learner.batch_size, vision.learner.batch_size) == (64, 32)
    assert vision.learner.utd_ratio == 4.0 and vision.encoder.stored_views == 3
    set_too = load_task(path, observations="vision", overrides={"learner.batch_size": 16})
    assert set_too.learner.batch_size == 16
    again = tmp_path / "again.yaml"
    vision.save(again)  # a run's copy has nothing left to choose
    assert load_task(str(again)) == vision


def test_a_variant_that_is_no_mapping_is_refused(tmp_path):
    sections = {"task": "mine", "environment": {"id": "X-v0"}, "with_vision": 3}
    path = write(tmp_path / "mine.yaml", sections)
    with pytest.raises(ConfigError, match=r"mine\.yaml: with_vision: expected sections, got 3"):
        load_task(path, observations="vision")


def test_the_shipped_insertion_learns_from_two_cameras_unless_told_otherwise():
    keys = load_task("pcb_insertion").learner.observation_keys
    assert {"wrist_1", "wrist_2"} < set(keys) and "socket_pose" not in keys
    assert load_task("pcb_insertion", observations="state").learner.observation_keys == (
        "socket_pose",
    )


def test_a_file_of_weights_is_found_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = {"encoder.weights": "mine.safetensors"}
    weights = load_task("pcb_insertion", overrides=chosen).encoder.weights
    assert weights == str(tmp_path / "mine.safetensors")
    assert load_task("pcb_insertion").encoder.weights == "random"


def test_an_unknown_task_names_those_there_are():
    with pytest.raises(ConfigError, match=r"unknown task 'pcb'.*pcb_insertion"):
        find_file("tasks", "pcb")


def test_an_unknown_key_is_named_with_its_file(tmp_path):
    path = write(
        tmp_path / "mine.yaml",
        {"task": "mine", "environment": {"id": "X-v0"}, "learner": {"batch": 1}},
    )
    with pytest.raises(
        ConfigError, match=r"mine\.yaml\.learner\.batch: unknown, expected one of .*batch_size"
    ):
        load_task(path)


def test_an_unknown_section_is_named(tmp_path):
    path = write(
        tmp_path / "mine.yaml", {"task": "mine", "environment": {"id": "X-v0"}, "lerner": {}}
    )
    with pytest.raises(ConfigError, match="lerner"):
        load_task(path)


def test_malformed_yaml_names_the_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("/**:\n  ros__parameters:\n    task: [1,\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: line \d"):
        load_task(str(tmp_path / "mine.yaml"))


def test_overrides_reach_the_section():
    task = load_task("gymnasium", overrides={"learner.batch_size": 64, "rlpd.discount": 0.5})
    assert (task.learner.batch_size, task.rlpd.discount) == (64, 0.5)


def test_a_lock_step_that_could_never_go_on_is_refused():
    with pytest.raises(ConfigError, match=r"max_lead: expected 0, or at least .* \(10\), got 5"):
        load_task("gymnasium", overrides={"actor.max_lead": 5})
    assert load_task("gymnasium", overrides={"actor.max_lead": 0}).actor.max_lead == 0


def test_a_reward_that_is_given_anew_is_that_of_one_step():
    overrides = {"rlpd.n_step": 3, "reward.source": "vice"}
    with pytest.raises(ConfigError, match=r"rlpd\.n_step: expected 1 with reward\.source: vice"):
        load_task("gymnasium", overrides=overrides)


@pytest.fixture
def soft(tmp_path):
    return write(tmp_path / "soft.yaml", {"stiffness": [100.0] * 6, "max_linear_velocity": 0.1})


def with_gains(tmp_path, gains, **arguments):
    environment = {"id": "X-v0", "arguments": arguments}
    return write(
        tmp_path / "mine.yaml", {"task": "mine", "gains": gains, "environment": environment}
    )


def test_a_gain_set_becomes_arguments_and_explicit_ones_win(tmp_path, soft):
    path = with_gains(tmp_path, soft, max_linear_velocity=0.2, arm="ur5")
    expected = {"stiffness": [100.0] * 6, "max_linear_velocity": 0.2, "arm": "ur5"}
    assert load_task(path).environment.arguments == expected


def test_gains_from_the_command_line_win_over_those_of_a_saved_run(tmp_path, soft):
    hard = write(tmp_path / "hard.yaml", {"stiffness": [900.0] * 6})
    load_task(with_gains(tmp_path, hard)).save(tmp_path / "config.yaml")
    assert "gains" not in load_task_file(tmp_path / "config.yaml")
    overrides = {"environment.arguments.max_linear_velocity": 0.3, "gains": soft}
    task = load_task(str(tmp_path / "config.yaml"), overrides=overrides)
    expected = {"stiffness": [100.0] * 6, "max_linear_velocity": 0.3}
    assert task.environment.arguments == expected


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        ({"stiff": [1.0] * 6}, r"mine/bad\.yaml: stiff: unknown, expected one of .*stiffness"),
        ({"stiffness": [1.0, 2.0]}, r"mine/bad\.yaml: stiffness: expected 6 values, got 2"),
        ({"damping": ["high"] * 6}, r"mine/bad\.yaml: damping: expected numbers, got \['high'"),
        ({"clip_positive": [-0.1] * 6}, r"mine/bad\.yaml: clip_positive\[0\]: expected .* from 0"),
    ],
)
def test_a_mistake_in_a_gain_set_is_named_with_its_file(tmp_path, gains, message):
    (tmp_path / "mine").mkdir()
    path = write(tmp_path / "mine/bad.yaml", gains)
    with pytest.raises(ConfigError, match=message) as error:
        load_task(with_gains(tmp_path, path))
    assert "\n" not in str(error.value)


def test_an_unknown_gain_set_names_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown gains 'pcb': expected one of .*pcb_insertion"):
        load_task(with_gains(tmp_path, "pcb"))


def test_settings_are_yaml_values():
    assert parse_setting("rlpd.discount=0.9") == ("rlpd.discount", 0.9)
    assert parse_setting("rlpd.learning_rate=3e-4") == ("rlpd.learning_rate", 3e-4)
    assert parse_setting("environment.id=A-v0") == ("environment.id", "A-v0")
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_setting("rlpd.discount")


def test_a_saved_task_is_the_same_task_and_a_ros_parameter_file(tmp_path):
    task = load_task(
        "gymnasium", environment_id="Pendulum-v1", overrides={"environment.arguments.g": 9}
    )
    task = task.in_run(RunConfig(directory=str(tmp_path), seed=3))
    task.save(tmp_path / "config.yaml")
    assert load_task(str(tmp_path / "config.yaml")) == task
    leaves = _leaves(load_task_file(tmp_path / "config.yaml"))
    assert all(leaf not in (None, [], {}) for leaf in leaves)  # rcl's parser knows none of these


def test_the_shipped_insertion_takes_its_gains_from_their_file():
    arguments = load_task("pcb_insertion").environment.arguments
    gains = load_gains("pcb_insertion")
    assert {key: arguments[key] for key in gains} == gains


TEAM = {
    "task": "carry",
    "observations": "state",
    "environment": {"id": "X-v0", "arguments": {"arm": "panda"}},
    "rlpd": {"discount": 0.9},
    "learner": {"batch_size": 64},
    "reset": {"source": "agents", "agents": ["there", "back"]},
    "agents": {
        "there": {"environment": {"arguments": {"agent": "there"}}},
        "back": {"environment": {"arguments": {"agent": "back"}}, "learner": {"batch_size": 32}},
    },
    "with_vision": {"learner": {"batch_size": 16}, "rlpd": {"ensemble": 3}},
}


@pytest.fixture
def team(tmp_path):
    return write(tmp_path / "carry.yaml", TEAM)


def test_each_of_several_agents_has_a_task_of_its_own(team):
    tasks = load_tasks(team)
    assert [(name, task.task) for name, task in tasks.items()] == [
        ("there", "carry/there"),
        ("back", "carry/back"),
    ]
    for name, task in tasks.items():
        arguments = {"arm": "panda", "agent": name, "observations": "state"}
        assert task.environment.arguments == arguments
        assert task.reset.agents == ("there", "back")
    assert [task.learner.batch_size for task in tasks.values()] == [64, 32]
    seen = load_tasks(team, observations="vision")  # what is of one agent wins over it
    assert [task.learner.batch_size for task in seen.values()] == [16, 32]
    assert [task.rlpd.ensemble for task in seen.values()] == [3, 3]


def test_a_task_of_one_agent_is_its_only_one(team):
    assert list(load_tasks("pcb_insertion")) == ["agent"]
    (task,) = load_tasks(f"{team}/back").values()
    assert task == load_task(f"{team}/back")
    assert (task.task, task.environment.arguments["agent"]) == ("carry/back", "back")
    assert task.reset.source == "environment"  # alone, nobody undoes what it has done
    assert load_task("object_relocation/forward").task == "object_relocation/forward"


def test_overrides_are_for_all_agents_or_for_one(team):
    overrides = {"agents.back.rlpd.discount": 0.5, "rlpd.discount": 0.7, "actor.max_steps": 9}
    tasks = load_tasks(team, overrides=overrides)
    assert [task.rlpd.discount for task in tasks.values()] == [0.7, 0.5]
    assert [task.actor.max_steps for task in tasks.values()] == [9, 9]
    assert load_task(f"{team}/back", overrides=overrides).rlpd.discount == 0.5


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("", {}, r"expected one of {0}/there, {0}/back, got {0}, which is of several agents"),
        ("/up", {}, r"expected an agent of there, back, got up"),
        ("/back", {"agents.up.bc.steps": 1}, r"expected agents\.NAME of there, back, got up"),
        ("/back", {"agents.back.actor.max_steps": 1}, r"a key that agents do not share, got actor"),
        ("/back", {"agents.back": 1}, r"--set agents\.back: expected a key"),
        ("", {"reset.source": "person"}, r"reset\.source: expected agents, of several, got person"),
        ("/back", {"reset.agents": ["there", "up"]}, r"some of there, back, got \['up'\]"),
        ("/back", {"agents.back.with_vision": {}}, r"with_vision: unknown"),
    ],
)
def test_a_mistake_about_agents_is_one_line(team, name, overrides, message):
    with pytest.raises(ConfigError, match=message.format(team)) as error:
        load_task(f"{team}{name}", overrides=overrides)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        (["there"], r"carry\.yaml: agents: expected sections, got \['there'\]"),
        ({"there": {}}, r"carry\.yaml: agents: expected two or more, got there"),
        ({"there": 3, "back": {}}, r"agents\.there: expected sections, got 3"),
        ({"there": {"actor": {}}, "back": {}}, r"agents\.there: expected .* not share, got actor"),
    ],
)
def test_a_mistake_in_the_section_of_agents_is_one_line(tmp_path, agents, message):
    path = write(tmp_path / "carry.yaml", TEAM | {"agents": agents})
    with pytest.raises(ConfigError, match=message):
        load_tasks(path)


def test_no_task_of_one_agent_has_others():
    with pytest.raises(ConfigError, match=r"expected no agent, as gymnasium\.yaml names none"):
        load_task("gymnasium/forward")


def test_what_agents_share_is_a_parameter_file_of_its_own(team, tmp_path):
    tasks = load_tasks(team, overrides={"agents.back.reward.source": "human"})
    run = RunConfig(directory="/runs/x", seed=4)
    save_team(tasks, "carry", run, tmp_path / "config.yaml")
    shared = load_task_file(tmp_path / "config.yaml")
    assert (shared["task"], shared["run"]["directory"]) == ("carry", "/runs/x")
    assert shared["reset"]["agents"] == ["there", "back"]
    assert shared["environment"]["arguments"]["agent"] == "there"  # who begins
    sources = {name: own["reward"]["source"] for name, own in shared["agents"].items()}
    assert sources == {"there": "environment", "back": "human"}
    assert all(leaf not in (None, [], {}) for leaf in _leaves(shared))


def _leaves(value):
    if isinstance(value, dict) and value:
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [value]


def test_on_a_robot_bounds_and_gains_stay_and_the_rest_is_that_of_with_robot():
    task = load_task("pcb_insertion", robot="fr3")
    simulation = load_task("pcb_insertion").environment.arguments
    arguments = task.environment.arguments
    assert task.environment.id == "serl_actor:serl_actor/Robot-v0"
    for name in ("action_scale", "box_low", "box_high", "stiffness", "clip_negative"):
        assert arguments[name] == simulation[name]
    assert "success_tolerance" not in arguments and "arm" not in arguments
    assert (task.robot, task.world, task.needs_robot) == ("fr3", None, True)
    assert (task.reset.source, task.reward.source) == ("scripted", "pose")
    assert task.actor.control_rate_hz == 10.0
    assert task.in_simulation() is task


def test_what_a_node_simulates_is_the_tasks_own_world():
    task, plain = load_task("pcb_insertion", robot="sim_node"), load_task("pcb_insertion")
    assert task.world == plain.environment and not task.needs_robot
    assert task.in_simulation().environment == plain.environment


def test_agents_on_a_robot_have_one_world_and_their_own_rewards():
    forward, backward = load_tasks("object_relocation", robot="sim_node").values()
    assert forward.environment == backward.environment
    assert forward.environment.arguments["keep_out_high"] == [0.2, 0.03, 0.06]
    assert (forward.reset.source, forward.reward.source) == ("agents", "classifier")
    assert forward.reward.classifier.file.endswith("forward.safetensors")
    alone = load_task("object_relocation/backward", robot="fr3").reset
    assert (alone.source, alone.agents, alone.stir_count) == ("scripted", (), 0)


@pytest.mark.parametrize(
    "task", ["pcb_insertion", "peg_insertion", "cable_routing", "object_relocation"]
)
def test_the_robots_box_is_about_the_place_that_the_simulation_has(task):
    """Its numbers are written down twice: for a scene, and for a robot."""
    for on_robot in load_tasks(task, robot="sim_node").values():
        world = gym.make(on_robot.world.id, **on_robot.world.arguments).unwrapped
        center = on_robot.environment.arguments["center"]
        np.testing.assert_allclose(center[:3], world.goal.position, atol=1e-9)
        turn = Rotation.from_quat(center[3:]) * world.goal.rotation.inv()
        assert turn.magnitude() < 1e-6
        cameras = on_robot.environment.arguments["cameras"]
        assert tuple(cameras) == world.cameras.cameras


@pytest.mark.parametrize(
    ("task", "robot", "expected"),
    [
        ("pcb_insertion", "panda", r"--robot: expected one of sim_node, .*fr3.*, got 'panda'"),
        ("gymnasium", "fr3", r"--robot fr3: expected a section with_robot in gymnasium\.yaml"),
    ],
)
def test_a_robot_that_there_is_not_is_refused(task, robot, expected):
    with pytest.raises(ConfigError, match=expected):
        load_task(task, robot=robot)


def test_a_task_of_a_robot_alone_needs_one(tmp_path):
    sections = load_task_file(find_file("tasks", "pcb_insertion"))
    sections |= {"environment": {"max_episode_steps": 100}, "gains": "pcb_insertion"}
    path = write(tmp_path / "mine.yaml", {"observations": "vision"} | sections)
    assert load_task(path, robot="fr3").needs_robot
    with pytest.raises(ConfigError, match=r"--robot: expected one of .*fr3.*no simulation, got no"):
        load_task(path)
