"""Who takes over from the policy: nobody, the task's demonstrator, or a person at a device."""

from collections.abc import Callable

import gymnasium as gym
import numpy as np
from rclpy.node import Node

from serl_actor.corrector import Corrector
from serl_actor.environment import EnvironmentConfig, demonstrator_of
from serl_actor.intervention import Device, InterventionConfig
from serl_actor.spacemouse import SpaceMouse
from serl_actor.teleoperation import Source, Teleoperation
from serl_actor.teleoperation_topics import JoySource, TwistSource

KEYBOARD_TOPIC = "/keyboard/joy"  # sensor_msgs/Joy: six axes in order, buttons that close and open


def intervening(
    config: InterventionConfig, environment: EnvironmentConfig, node: Node, seed: int
) -> Callable[[gym.Env], Device] | None:
    """Makes the device for the environment that it acts in; None where nobody takes over."""
    if config.device == "none":
        return None
    if config.device == "scripted":
        # Other seeds than those of the recorded demonstrations.
        own, helps = np.random.SeedSequence([seed, 1]).generate_state(2).tolist()
        make_demonstrator = demonstrator_of(environment, own)
        return lambda env: Corrector(make_demonstrator(env), helps)
    return lambda env: Teleoperation(open_source(config, node), config, env.action_space.shape[0])


def open_source(config: InterventionConfig, node: Node | None) -> Source:
    """The person's device, of which only a SpaceMouse needs no node to hear it by.

    Raises ConfigError where it is not there.
    """
    match config.device:
        case "spacemouse":
            return SpaceMouse()
        case "gamepad":
            return JoySource(node, config.topic or "/joy", config.axes, config.buttons)
        case "keyboard":
            return JoySource(node, KEYBOARD_TOPIC, range(6), range(2))
        case "twist":
            return TwistSource(node, config.topic or "/teleoperation/twist", config.full_twist)
    raise ValueError(f"no device in a person's hands: {config.device}")
