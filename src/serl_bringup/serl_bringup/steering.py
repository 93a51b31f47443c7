"""The arm's motion by the keys of a terminal."""

import time
from collections.abc import Callable

import numpy as np

from serl_actor.teleoperation import Command

# x, y, z and the rotations about them: the key of +1 and that of -1; then close and open.
AXES = (b"ws", b"ad", b"qe", b"uo", b"ik", b"jl")
CLOSE, OPEN = b"c", b"v"
HELP = (
    "W S away and back, A D left and right, Q E up and down; U O, I K, J L turn about these axes;"
    " C closes the gripper, V opens it"
)
PRESSED_S = 0.15  # a terminal says when a key is pressed, or repeated, and never when it is let go


class Steering:
    """What the keys pressed last command."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._pressed_at: dict[bytes, float] = {}

    def press(self, keys: bytes) -> None:
        now = self._clock()
        self._pressed_at |= {bytes([key]): now for key in keys.lower()}

    def command(self) -> Command:
        twist = [self._is_down(plus) - self._is_down(minus) for plus, minus in _pairs()]
        return Command(np.array(twist), self._is_down(OPEN) - self._is_down(CLOSE))

    def _is_down(self, key: bytes) -> float:
        since = self._clock() - self._pressed_at.get(key, -np.inf)
        return float(since <= PRESSED_S)


def _pairs() -> list[tuple[bytes, bytes]]:
    return [(pair[:1], pair[1:]) for pair in AXES]
