"""How the simulated robot is doing: whether it keeps up with the time, and how often it sees."""

from collections.abc import Iterator

from serl_learner.diagnostics import Diagnostic, Level, Rate

KEEPS_UP = 0.98  # of real time
SLOW_HZ = 10.0  # of a camera: not every observation has a new picture


class SimulationDiagnostics:
    """Remembers what had been counted at the last look."""

    def __init__(self, period_s: float, camera_hz: float):
        """`period_s`: simulated time between two states; `camera_hz`: rate that is aimed at."""
        self._period_s, self._camera_hz = period_s, camera_hz
        self._state_rate, self._camera_rate, self._overruns = Rate(), Rate(), 0

    def look(self, states: int, overruns: int, pictures: int) -> Iterator[Diagnostic]:
        """What was counted so far; an overrun is a state so late that it is not made up for."""
        factor = self._state_rate(states) * self._period_s
        late, self._overruns = overruns - self._overruns, overruns
        values = {
            "real-time factor": factor,
            "overruns (1/s)": late,
            "overruns (count)": overruns,
            "simulated time (s)": states * self._period_s,
        }
        advice = ": stop other programs, or give it a core of its own"
        level = Level.OK if factor >= KEEPS_UP else Level.WARN
        message = f"simulated at {factor:.2f} of real time{advice if level else ''}"
        yield Diagnostic("real time", level, message, values)
        rate_hz = self._camera_rate(pictures)
        values = {"rate (Hz)": rate_hz, "wanted rate (Hz)": self._camera_hz}
        if rate_hz < SLOW_HZ:
            message = f"{rate_hz:.0f} Hz: slow rendering, see serl doctor"
            yield Diagnostic("cameras", Level.WARN, message, values)
        else:
            yield Diagnostic("cameras", Level.OK, f"{rate_hz:.0f} Hz", values)
