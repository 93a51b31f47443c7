"""How the actor is doing: its rate, its faults, and the policy that it acts with."""

import time

from serl_actor.latest_policy import LatestPolicy
from serl_actor.pulse import Pulse
from serl_learner.diagnostics import Diagnostic, Level

ON_TIME_SHARE = 0.9  # of the periods of the last second
BEHIND = 100  # transitions: ten seconds at 10 Hz
SLOW_S = 1.0  # for a policy to arrive
AHEAD_S = 0.02  # one that arrives so long before it was sent: another machine's clock


class PaceDiagnostic:
    """Remembers what the loop had counted at the last look."""

    def __init__(self) -> None:
        self._seen = 0, 0, 0.0

    def look(self, pulse: Pulse) -> Diagnostic:
        counts = pulse.periods, pulse.on_time, pulse.stepping_s
        periods, on_time, seconds = (a - b for a, b in zip(counts, self._seen, strict=True))
        self._seen = counts
        if periods == 0:
            return Diagnostic("control rate", Level.OK, "between two episodes, or waits")
        rate_hz, share = periods / seconds, on_time / periods
        values = {"rate (Hz)": rate_hz, "wanted rate (Hz)": pulse.rate_hz}
        if pulse.rate_hz == 0.0:
            return Diagnostic("control rate", Level.OK, f"{rate_hz:.1f} Hz, as it can", values)
        values["periods on time (%)"] = 100.0 * share
        if share >= ON_TIME_SHARE:
            return Diagnostic("control rate", Level.OK, f"{rate_hz:.1f} Hz", values)
        message = (
            f"{100 * share:.0f} % of the steps on time, {rate_hz:.1f} of {pulse.rate_hz:.1f} Hz:"
            " stop other programs, or move the learner to another machine"
        )
        return Diagnostic("control rate", Level.WARN, message, values)


def faults(pulse: Pulse) -> Diagnostic:
    since, now = pulse.failing_since, pulse.clock()
    failing_s = now - since if since is not None else 0.0
    values = {"faults (count)": pulse.faults, "failing for (s)": failing_s}
    if not pulse.faults:
        return Diagnostic("faults", Level.OK, "none so far", values)
    values |= {"last fault": pulse.fault, "last fault's age (s)": now - pulse.fault_at}
    if since is not None:
        return Diagnostic("faults", Level.ERROR, f"for {failing_s:.0f} s: {pulse.fault}", values)
    return Diagnostic("faults", Level.OK, f"works; the last one: {pulse.fault}", values)


def policy(name: str, source: LatestPolicy, steps: int, may_miss: bool) -> Diagnostic:
    """`steps`: transitions of this agent. `may_miss`: it acts without a policy so far."""
    if source.arrived_at is None:
        level = Level.OK if may_miss else Level.STALE
        return Diagnostic(name, level, "none yet: the learner is starting, see its log")
    age_s, latency_s = time.monotonic() - source.arrived_at, source.latency_s
    behind = max(steps - source.env_steps, 0)
    values = {
        "age (s)": age_s,
        "latency (s)": latency_s,
        "version (critic steps)": source.version,
        "behind (transitions)": behind,
    }
    level, message = Level.OK, f"{behind} transitions old"
    if behind > BEHIND:
        advice = "the learner does not keep up: lower learner.utd_ratio, or learner.device: cuda"
        level, message = Level.WARN, f"{behind} transitions old: {advice}"
    elif latency_s > SLOW_S:
        level, message = Level.WARN, f"took {latency_s:.1f} s to arrive: a slow network"
    elif latency_s < -AHEAD_S:
        advice = "set both machines' clocks by chrony"
        level, message = Level.WARN, f"the learner's clock is {-latency_s:.2f} s ahead: {advice}"
    return Diagnostic(name, level, message, values)
