"""Configuration: task files (ROS 2 parameter files) to frozen dataclasses, strictly."""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class ConfigError(ValueError):
    """Bad configuration or input, told in one line: where, what was expected, what was found."""


def expect(condition: object, key: str, expected: str, got: object) -> None:
    """A range check of one field of a configuration."""
    if not condition:
        raise ConfigError(f"{key}: expected {expected}, got {got}")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One run of a task. `serl train` writes this section."""

    directory: str = ""  # run folder: checkpoints/, transitions/, result.json
    seed: int = 0
    demonstrations: str = ""  # MCAP file of prior data; empty: learn without
    resume: bool = False  # continue from the newest checkpoint in `directory`

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed: expected at least 0, got {self.seed}")


def from_dict(cls: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Builds the frozen dataclass `cls` from one section of a task file.

    Unknown keys and wrong types are errors. An int is a float where a float is declared; a list
    becomes a tuple.
    `where` opens every message, for example "pcb_insertion.yaml: learner".
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where}: expected a mapping, got {mapping!r}")
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]
    for key in mapping:
        if key not in known:
            raise ConfigError(f"{where}.{key}: unknown, expected one of {', '.join(known)}")
    values = {key: _convert(hints[key], mapping[key], f"{where}.{key}") for key in mapping}
    for field in dataclasses.fields(cls):
        no_default = field.default is field.default_factory is dataclasses.MISSING
        if no_default and field.name not in values:
            raise ConfigError(f"{where}.{field.name}: missing, expected {_name(hints[field.name])}")
    try:
        return cls(**values)
    except (
        ConfigError
    ) as error:  # a range check of the dataclass, which knows the key but not the file
        raise ConfigError(f"{where}.{error}") from None


def load_task_file(path: str | Path) -> dict[str, Any]:
    """The sections of a task file: what stands under `/**: ros__parameters:`."""
    path = Path(path)
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", "not YAML")
        raise ConfigError(f"{path}: {line}{problem}") from None
    node = content.get("/**") if isinstance(content, dict) else None
    parameters = node.get("ros__parameters") if isinstance(node, dict) else None
    if not isinstance(parameters, dict):
        raise ConfigError(f"{path}: expected '/**: ros__parameters:' with the sections under it")
    return parameters


def parse_yaml(text: str) -> Any:
    """YAML with numbers as ROS has them."""
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Reads numbers as ROS does: PyYAML follows YAML 1.1, where `3e-4` is a string."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:float"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|Inf|INF))$|\.(nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the declared type `hint`, or a ConfigError that names both."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)
    if origin in (types.UnionType, typing.Union):  # `X | None`: a parameter file leaves None out
        return _convert(next(a for a in arguments if a is not types.NoneType), value, where)
    if origin is tuple and isinstance(value, list | tuple):
        items = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(items) == len(value):
            pairs = enumerate(zip(items, value, strict=True))
            return tuple(_convert(item, element, f"{where}[{i}]") for i, (item, element) in pairs)
    elif hint is dict or origin is dict:
        if isinstance(value, Mapping):
            return dict(value)
    elif hint is float and type(value) in (int, float):
        if math.isfinite(value):
            return float(value)
    elif type(value) is hint:
        return value
    raise ConfigError(f"{where}: expected {_name(hint)}, got {value!r}")


def _name(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        arguments = typing.get_args(hint)
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a list of {count}{arguments[0].__name__}s"
    return "a finite float" if hint is float else getattr(hint, "__name__", str(hint))
