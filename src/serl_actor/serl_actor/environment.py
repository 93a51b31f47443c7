"""Makes any Gymnasium environment ready for the actor."""

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from serl_actor.cameras import CameraGuard
from serl_actor.checks import CheckedEnvironment
from serl_actor.gripper import GripperPenalty
from serl_actor.intervention import Device, Intervention
from serl_actor.located import BasePose, Located, has_tool_pose
from serl_actor.relative_frame import RelativeFrame
from serl_learner.config import ConfigError, expect

DEFAULT_CONTROL_PERIOD_S = 0.1  # SERL's 10 Hz, where the environment names no rate


@dataclass(frozen=True)
class EnvironmentConfig:
    id: str  # Gymnasium id; "module:Id-v0" imports the module first, which registers it
    relative_frame: bool = False  # the policy sees and acts relative to the tool
    max_episode_steps: int = 0  # 0: the environment's own limit, which it then must have
    demonstrator: str = ""  # "module:Class", scripted, called as Class(environment, seed)
    gripper_penalty: float = 0.0  # price of a change of the gripper; beside the reward, not in it
    locator: str = ""  # a file of `serl locator`: adds what cameras tell, `object_position`
    arguments: dict[str, Any] = field(default_factory=dict)  # of the environment's constructor

    def __post_init__(self) -> None:
        for name in ("max_episode_steps", "gripper_penalty"):
            expect(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))


def make_environment(
    config: EnvironmentConfig,
    *,
    resets: Callable[[gym.Env], gym.Env] | None = None,
    judged: Callable[[gym.Env], gym.Env] | None = None,
    device: Callable[[gym.Env], Device] | None = None,
    render_mode: str | None = None,
    base_pose: bool = False,
) -> gym.Env:
    """The environment as actor, demonstrations and evaluation use it.

    Observations are dicts of float32 vectors and uint8 images, actions (n,) in [-1, 1]. `resets`
    puts a PlannedReset around it, and `judged` a JudgedEnvironment: resets and rewards then come
    from outside. `device` makes, for the environment below it, what may take over at each step, for
    example that of `demonstrator_of`. With `base_pose`, observations of an environment that tells
    its tool's pose have that as well. Raises ConfigError, one line, when the environment cannot be
    made or cannot be acted in; its reset and step raise Fault when a camera, the reward or the
    reset agent fails.
    """
    environment = CameraGuard(_make(config, render_mode))
    environment = CheckedEnvironment(environment, config.id)
    environment = _unit_actions(environment, config.id)
    if config.gripper_penalty > 0.0:
        environment = GripperPenalty(environment, config.gripper_penalty)
    if resets is not None:
        environment = resets(environment)
    if judged is not None:
        environment = judged(environment)
    if base_pose and has_tool_pose(environment):
        environment = BasePose(environment)
    if config.locator:
        environment = Located(environment, config.locator)
    if device is not None:
        environment = Intervention(environment, device(environment), turned=config.relative_frame)
    if config.relative_frame:
        environment = RelativeFrame(environment)
    return environment


def is_success(info: dict[str, Any]) -> bool:
    """Whether a step's `info` says that the task is solved.

    Only the flag counts (`success`, or Gymnasium-Robotics' `is_success`). An environment without
    it has returns but no successes: a guess from the reward would depend on shaping and penalties.
    """
    return bool(info.get("success", info.get("is_success", False)))


def control_period_s(environment: gym.Env) -> float:
    """Seconds of robot time per step, from metadata["render_fps"]: one frame is one step."""
    rate_hz = environment.metadata.get("render_fps")
    return 1.0 / rate_hz if rate_hz else DEFAULT_CONTROL_PERIOD_S


def _make(config: EnvironmentConfig, render_mode: str | None) -> gym.Env:
    arguments = dict(config.arguments)
    if render_mode is not None:
        arguments["render_mode"] = render_mode
    try:
        environment = gym.make(
            config.id,
            max_episode_steps=config.max_episode_steps or None,
            disable_env_checker=True,
            **arguments,
        )
    except (ModuleNotFoundError, RuntimeError, gym.error.DependencyNotInstalled) as error:
        raise ConfigError(f"environment.id: {config.id!r}: {_one_line(error)}") from None
    except gym.error.Error as error:  # unknown, malformed or deprecated id
        hint = difflib.get_close_matches(config.id.split(":")[-1], gym.registry, n=3, cutoff=0.5)
        known = f"; close to it: {', '.join(hint)}" if hint else ""
        raise ConfigError(f"environment.id: {config.id!r}: {_one_line(error)}{known}") from None
    except TypeError as error:
        message, _, _ = _one_line(error).partition(" was raised from")  # by gym.make: all arguments
        if "unexpected keyword argument" not in message:
            raise  # not what was asked for, but a fault of the environment
        raise ConfigError(f"environment.arguments: {config.id}: {message}") from None
    except ValueError as error:  # an argument's value
        raise ConfigError(f"environment.arguments: {config.id}: {_one_line(error)}") from None
    if environment.spec.max_episode_steps is None:
        environment.close()
        raise ConfigError(
            f"environment.max_episode_steps: expected at least 1, since {config.id} has no limit "
            f"of its own, got {config.max_episode_steps}"
        )
    return environment


def _unit_actions(environment: gym.Env, name: str) -> gym.Env:
    """Actions as a (n,) Box in [-1, 1], rescaled where the environment's own bounds are others."""
    space = environment.action_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise ConfigError(
            f"environment {name}: action: expected a Box of one dimension, got {space}"
        )
    if np.all(space.low == -1.0) and np.all(space.high == 1.0):
        return environment
    if not space.is_bounded():
        raise ConfigError(f"environment {name}: action: expected finite bounds, got {space}")
    return gym.wrappers.RescaleAction(environment, np.float32(-1.0), np.float32(1.0))


def demonstrator_of(config: EnvironmentConfig, seed: int) -> Callable[[gym.Env], Device]:
    """Makes the task's own, which acts in the base frame."""
    where = f"environment.demonstrator: {config.demonstrator!r}"
    module, separator, name = config.demonstrator.partition(":")
    if not (module and separator and name):
        raise ConfigError(f"{where}: expected 'module:Class'")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}: {_one_line(error)}") from None
    return lambda environment: factory(environment.unwrapped, seed)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
