import pytest
import yaml

from serl_bringup.task import find_task_file, load_task, parse_setting, tasks_directory
from serl_learner.config import ConfigError, RunConfig, load_task_file


def write(path, sections):
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": sections}}))
    return str(path)


@pytest.mark.parametrize("path", sorted(tasks_directory().glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_task_loads(path):
    assert load_task(path.stem).environment.id


def test_an_unknown_task_names_those_there_are():
    with pytest.raises(ConfigError, match=r"unknown task 'pcb'.*pcb_insertion"):
        find_task_file("pcb")


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


def _leaves(value):
    if isinstance(value, dict) and value:
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [value]
