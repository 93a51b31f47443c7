"""How the actor's loop is doing."""

from collections.abc import Callable

from serl_actor.faults import Fault

ON_TIME_S = 0.005  # a period this close to the wanted one counts as on time


class Pulse:
    """How the loop is doing, for whoever asks in any thread; the loop alone writes it."""

    def __init__(self, rate_hz: float, clock: Callable[[], float]):
        self.rate_hz = rate_hz  # that is to be held; 0: none
        self.periods = self.on_time = self.faults = 0
        self.stepping_s = 0.0  # the sum of those periods
        self.fault = ""  # the last one
        self.fault_at = 0.0  # when it came, on `clock`
        self.failing_since: float | None = None  # None while it works
        self.clock = clock
        self._step_at: float | None = None

    def begin_episode(self) -> None:
        self._step_at = None

    def step(self, now: float) -> None:
        """A step begins."""
        if self._step_at is not None:
            period_s = now - self._step_at
            self.stepping_s += period_s
            self.periods += 1
            wanted_s = 1.0 / self.rate_hz if self.rate_hz > 0.0 else period_s
            self.on_time += abs(period_s - wanted_s) <= ON_TIME_S
        self._step_at = now

    def failed(self, fault: Fault) -> None:
        self.fault, self.fault_at = str(fault), self.clock()
        self.faults += 1
        if self.failing_since is None:
            self.failing_since = self.fault_at

    def works(self) -> None:
        self.failing_since = None
