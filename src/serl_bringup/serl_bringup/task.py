"""A task is one YAML file: finds it, applies the command line, checks it, writes a run's copy."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import get_package_share_directory

from franka_impedance_controller import Gains
from serl_actor.actor import ActorConfig
from serl_actor.environment import EnvironmentConfig
from serl_learner.bc import BCConfig
from serl_learner.config import ConfigError, RunConfig, from_dict, load_task_file, parse_yaml
from serl_learner.encoder import EncoderConfig
from serl_learner.rlpd import RLPDConfig
from serl_learner.trainer import LearnerConfig
from serl_learner.vice import ViceConfig
from serl_reward.config import RewardConfig


@dataclass(frozen=True)
class Task:
    """Everything that defines a run. Each section configures one component, documented there."""

    task: str
    environment: EnvironmentConfig
    rlpd: RLPDConfig = field(default_factory=RLPDConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    actor: ActorConfig = field(default_factory=ActorConfig)
    bc: BCConfig = field(default_factory=BCConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    vice: ViceConfig = field(default_factory=ViceConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        lead, period = self.actor.max_lead, self.learner.publish_period
        if 0 < lead < period:  # the actor would wait for a policy that the learner holds back
            expected = f"0, or at least learner.publish_period ({period})"
            raise ConfigError(f"actor.max_lead: expected {expected}, got {lead}")
        form = {"classifier": self.reward.classifier, "vice": self.vice}.get(self.reward.source)
        if form is not None and form.form == "log" and self.rlpd.return_range is not None:
            bounds = list(self.rlpd.return_range)
            raise ConfigError(f"rlpd.return_range: expected none with form: log, got {bounds}")

    def in_run(self, run: RunConfig) -> "Task":
        return replace(self, run=run)

    def save(self, path: Path) -> None:
        """Writes a ROS 2 parameter file that every node of the run takes as it is."""
        sections = _without_empty(_plain(asdict(self)))
        text = yaml.safe_dump({"/**": {"ros__parameters": sections}}, sort_keys=False)
        path.write_text(text)


def config_directory() -> Path:
    """Holds `tasks` and `gains`, one YAML file each."""
    return Path(get_package_share_directory("serl_bringup"), "config")


def find_task_file(name: str) -> Path:
    """A task by name, or by the path of its YAML file."""
    return _find("task", config_directory() / "tasks", name)


def _find(kind: str, directory: Path, name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    path = directory / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in directory.glob("*.yaml")))
        raise ConfigError(
            f"unknown {kind} '{name}': expected one of {known}, or a path to a YAML file"
        )
    return path


def load_gains(name: str) -> dict[str, Any]:
    """A gain set by name, or by the path of its YAML file: names of Gains' fields, and values."""
    if not isinstance(name, str):
        raise ConfigError(f"gains: expected the name of a gain set, got {name!r}")
    path = _find("gains", config_directory() / "gains", name)
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


def load_task(
    name: str | None,
    *,
    environment_id: str = "",
    observations: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> Task:
    """Loads a task by name or file; for a bare Gymnasium environment `gymnasium.yaml` serves.

    `observations` (state, vision) chooses what the policy learns from, otherwise the file does.
    `overrides` maps dotted keys to values, e.g. {"learner.batch_size": 128}. The gain set named by
    `gains` becomes arguments of the environment, which may override its values one by one. Raises
    ConfigError with one line that names the key, the value and what was expected.
    """
    path = find_task_file(name or "gymnasium")
    sections = load_task_file(path)
    where = path.name
    if environment_id:
        sections.setdefault("environment", {})["id"] = environment_id
        if name is None:
            sections["task"] = environment_id.split(":")[-1].replace("/", "-")
    _choose_observations(sections, observations, where)
    if "gains" in sections:
        _expand_gains(sections)
    overrides = dict(overrides or {})
    if "gains" in overrides:
        gains = load_gains(overrides.pop("gains"))
        overrides = {f"environment.arguments.{key}": gains[key] for key in gains} | overrides
    for key, value in overrides.items():
        _override(sections, key, value)
    task = from_dict(Task, sections, where)
    return _from_anywhere(task)


def _from_anywhere(task: Task) -> Task:
    """With the files that it names found from every working directory."""
    encoder, reward, vice = task.encoder, task.reward, task.vice
    encoder = replace(encoder, weights=_absolute(encoder.weights))
    if reward.classifier is not None:
        file = _absolute(reward.classifier.file)
        reward = replace(reward, classifier=replace(reward.classifier, file=file))
    vice = replace(vice, goals=_absolute(vice.goals))
    return replace(task, encoder=encoder, reward=reward, vice=vice)


def _absolute(file: str) -> str:
    """A name without a suffix is no file: it stays."""
    path = Path(file).expanduser()
    return str(path.resolve()) if path.suffix else file


def _choose_observations(sections: dict[str, Any], wanted: str | None, where: str) -> None:
    """Merges the section `with_<observations>` into the others, and drops those not chosen."""
    given = sections.pop("observations", None)
    variants = {k: sections.pop(k) for k in list(sections) if k.startswith("with_")}
    chosen = wanted or given
    if chosen is None:
        return
    if not isinstance(chosen, str):
        raise ConfigError(f"{where}: observations: expected state or vision, got {chosen!r}")
    _merge(sections, variants.get(f"with_{chosen}", {}), f"{where}: with_{chosen}")
    _override(sections, "environment.arguments.observations", chosen)


def _merge(sections: dict[str, Any], winning: dict[str, Any], where: str) -> None:
    """Puts the values of `winning` into `sections`, mapping by mapping."""
    if not isinstance(winning, dict):
        raise ConfigError(f"{where}: expected sections, got {winning!r}")
    for key, value in winning.items():
        if isinstance(value, dict) and isinstance(sections.get(key), dict):
            _merge(sections[key], value, f"{where}.{key}")
        else:
            sections[key] = value


def _expand_gains(sections: dict[str, Any]) -> None:
    """Puts the named gain set under the environment's arguments; those that are there stay."""
    gains = load_gains(sections.pop("gains"))
    environment = sections.setdefault("environment", {})
    if isinstance(environment, dict) and isinstance(environment.get("arguments", {}), dict):
        environment["arguments"] = gains | environment.get("arguments", {})


def _override(sections: dict[str, Any], dotted: str, value: Any) -> None:
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


def _plain(value: Any) -> Any:
    """Tuples as lists, and lists of one number type: ROS 2 parameters know no others."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return (
            [float(item) for item in items] if any(isinstance(i, float) for i in items) else items
        )
    return value


def _without_empty(value: Any) -> Any:
    """Drops what a ROS 2 parameter file cannot express; the default stands for it."""
    if isinstance(value, dict):
        items = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, {}, [])}
    return value
