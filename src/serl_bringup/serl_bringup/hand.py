"""A person demonstrates: at a device that moves the arm, and at keys that end an episode."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import gymnasium as gym

from serl_actor.devices import open_source
from serl_actor.intervention import Device, InterventionConfig
from serl_actor.teleoperation import Command, Source, Teleoperation
from serl_bringup import steering
from serl_bringup.device_node import listener
from serl_bringup.keys import FAILURE, SPACE, Keys
from serl_bringup.steering import Steering

POLL_S = 0.02
DROP_HELP = "F drops the episode; Ctrl-C ends the recording, and keeps what is finished"
LABEL_HELP = "SPACE is a success"


class Hand:
    """What a person holds, and the keys that they have pressed."""

    def __init__(self, source: Source | None, keys: Keys, config: InterventionConfig):
        """Without a source the keys are the device."""
        self._keys = keys
        self._steering = Steering()
        self._pressed = b""
        self._source = source or self
        self._config = config

    def read(self) -> Command:
        """Of the keys, as a Source."""
        self._poll()
        return self._steering.command()

    def close(self) -> None:
        pass

    def device(self, environment: gym.Env) -> Device:
        size = environment.action_space.shape[0]
        self._teleoperation = Teleoperation(self._source, self._config, size)
        return self._teleoperation

    def pressed(self) -> bytes:
        """Since this was last asked."""
        self._poll()
        pressed, self._pressed = self._pressed, b""
        return pressed

    def moves(self) -> bool:
        """Raises Fault where the device is gone."""
        return self._teleoperation({}) is not None

    def _poll(self) -> None:
        keys = self._keys.pressed()
        self._steering.press(keys)
        self._pressed += keys


class EndedByHand(gym.Wrapper):
    """An episode begins when the person moves the device, and ends where a key says so.

    F ends it as a failure. With `labels` SPACE ends it as a success, and nothing else does.
    """

    def __init__(self, env: gym.Env, hand: Hand, labels: bool):
        super().__init__(env)
        self._hand, self._labels = hand, labels

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        while not self._hand.moves():
            time.sleep(POLL_S)
        self._hand.pressed()  # what was pressed before is about no step of this episode
        return observation, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        pressed = self._hand.pressed()
        if self._labels:
            success = any(key in SPACE for key in pressed)
            reward, terminated, info = float(success), success, info | {"success": success}
        if any(key in FAILURE for key in pressed):
            reward, terminated, truncated, info = 0.0, False, True, info | {"success": False}
        return observation, reward, terminated, truncated, info


@contextmanager
def hand(config: InterventionConfig, say: Callable[[str], None]) -> Iterator[Hand]:
    """The person at the device, while this context is open; `say` tells what its keys do.

    Raises ConfigError where there is no terminal, or no device.
    """
    with ExitStack() as stack:
        keys = stack.enter_context(Keys())
        source = None
        if config.device == "keyboard":
            say(steering.HELP)
        else:
            node = None if config.device == "spacemouse" else stack.enter_context(listener())
            source = open_source(config, node)
            stack.callback(source.close)
        yield Hand(source, keys, config)
