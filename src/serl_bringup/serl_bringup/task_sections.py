"""The sections of a task file, before they are a Task: variants, gain sets, single values."""

from copy import deepcopy
from typing import Any

import yaml

from franka_impedance_controller import Gains
from serl_bringup.config_files import SIMULATED, find_file, names
from serl_learner.config import ConfigError, expect, load_task_file, parse_yaml

# Arguments that an environment in simulation and a robot have in common.
BOX = {"action_scale", "box_low", "box_high", "keep_out_low", "keep_out_high"}
ON_ROBOT = BOX | {name for name in dir(Gains) if not name.startswith("_")}


def choose_observations(sections: dict[str, Any], wanted: str | None, where: str) -> None:
    """Merges the section `with_<observations>` into the others, and drops those not chosen."""
    given = sections.pop("observations", None)
    variants = {k: sections.pop(k) for k in list(sections) if k.startswith("with_")}
    chosen = wanted or given
    if chosen is None:
        return
    if not isinstance(chosen, str):
        raise ConfigError(f"{where}: observations: expected state or vision, got {chosen!r}")
    merge(sections, variants.get(f"with_{chosen}", {}), f"{where}: with_{chosen}")
    override(sections, "environment.arguments.observations", chosen)


def put_on_robot(sections: dict[str, Any], own: Any, robot: str, where: str) -> None:
    """Merges `with_robot`; of the simulation's arguments those stay that a robot has as well."""
    known = known_robots()
    expect(robot in known, "--robot", f"one of {', '.join(known)}", f"'{robot}'")
    expect(isinstance(own, dict), f"--robot {robot}", f"a section with_robot in {where}", "none")
    simulated = deepcopy(sections["environment"])
    arguments = simulated.get("arguments", {})
    kept = {key: arguments[key] for key in arguments if key in ON_ROBOT}
    sections["environment"] |= {"arguments": kept, "demonstrator": ""}
    merge(sections, deepcopy(own), f"{where}: with_robot")
    sections["robot"] = robot
    if robot == SIMULATED:
        expect(
            "id" in simulated, f"--robot {robot}", f"environment.id to simulate in {where}", "none"
        )
        sections["world"] = simulated


def known_robots() -> list[str]:
    """What --robot may name."""
    return [SIMULATED, *names("robots")]


def expand_gains(sections: dict[str, Any]) -> None:
    """Puts the named gain set under the environment's arguments; those that are there stay."""
    gains = load_gains(sections.pop("gains"))
    environment = sections.setdefault("environment", {})
    if isinstance(environment, dict) and isinstance(environment.get("arguments", {}), dict):
        environment["arguments"] = gains | environment.get("arguments", {})


def load_gains(name: str) -> dict[str, Any]:
    """A gain set by name, or by the path of its YAML file: names of Gains' fields, and values."""
    if not isinstance(name, str):
        raise ConfigError(f"gains: expected the name of a gain set, got {name!r}")
    path = find_file("gains", name)
    gains = load_task_file(path)
    known = [field for field in dir(Gains) if not field.startswith("_")]
    where = f"{path.parent.name}/{path.name}"
    for key, value in gains.items():
        if key not in known:
            raise ConfigError(f"{where}: {key}: unknown, expected one of {', '.join(known)}")
        try:
            Gains(**{key: value})
        except TypeError:
            raise ConfigError(f"{where}: {key}: expected numbers, got {value!r}") from None
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
    return gains


def merge(sections: dict[str, Any], winning: dict[str, Any], where: str) -> None:
    """Puts the values of `winning` into `sections`, mapping by mapping."""
    if not isinstance(winning, dict):
        raise ConfigError(f"{where}: expected sections, got {winning!r}")
    for key, value in winning.items():
        if isinstance(value, dict) and isinstance(sections.get(key), dict):
            merge(sections[key], value, f"{where}.{key}")
        else:
            sections[key] = value


def override(sections: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, leaf = dotted.split(".")
    target = sections
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise ConfigError(f"--set {dotted}: '{parent}' is a value, expected a section")
    target[leaf] = value


def parse_setting(text: str) -> tuple[str, Any]:
    """`learner.batch_size=128` as a key and a YAML value."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set {text}: expected KEY=VALUE, for example learner.batch_size=128")
    try:
        return key, parse_yaml(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {text}: the value is not valid YAML") from None
