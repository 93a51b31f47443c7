"""Holds a loop at a fixed rate."""

import time
from collections.abc import Callable


class Pacer:
    """Waits for absolute deadlines of a monotonic clock, so that delays do not add up.

    Deadlines count anew after a step that took longer than two periods: a burst of short steps that
    makes up for it would move a robot faster than its task allows. A rate of 0 never waits.
    """

    def __init__(
        self,
        rate_hz: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._period_s = 1.0 / rate_hz if rate_hz > 0.0 else 0.0
        self._clock = clock
        self._sleep = sleep
        self._deadline: float | None = None

    def restart(self) -> None:
        """The next `wait` returns at once, and deadlines count from there."""
        self._deadline = None

    def wait(self) -> float:
        """Waits for the next deadline; returns the time (s)."""
        now = self._clock()
        if self._deadline is None or now > self._deadline + self._period_s:
            self._deadline = now
        while now < self._deadline:
            self._sleep(self._deadline - now)
            now = self._clock()
        self._deadline += self._period_s
        return now
