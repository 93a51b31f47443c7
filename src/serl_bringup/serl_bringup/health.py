"""What the nodes of a run say of themselves on /diagnostics, and the one line of it that counts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray

from serl_learner.diagnostics import Level

LASTS_S = 2.0  # what is over sooner is not told
SILENT_S = 10.0  # of a node that spoke before; one that starts again takes as long
# STALE is "not known yet": worse than OK alone.
RANK = {Level.OK: 0, Level.STALE: 1, Level.WARN: 2, Level.ERROR: 3}


@dataclass(frozen=True)
class _Heard:
    level: Level
    message: str
    since: float  # when it came not to be OK, or to be
    at: float  # when it was said last


class Health:
    """Takes every DiagnosticArray; another thread asks for the worst."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._heard: dict[str, _Heard] = {}

    def take(self, message: DiagnosticArray) -> None:
        now = self._clock()
        for status in message.status:
            level = Level(min(status.level[0], Level.STALE))  # other nodes' may be any byte
            before = self._heard.get(status.name)
            same = before is not None and (before.level is Level.OK) == (level is Level.OK)
            since = before.since if same else now
            self._heard[status.name] = _Heard(level, status.message, since, now)

    def worst(self) -> tuple[Level, str]:
        """Its level and one line that says who and what; OK and nothing while all is well."""
        now, bad = self._clock(), []
        for name, heard in sorted(self._heard.copy().items()):
            if now - heard.at > SILENT_S:
                silent = f"{name.partition(':')[0]}: says nothing for {now - heard.at:.0f} s"
                rank = RANK[Level.ERROR], False
                bad.append((rank, Level.ERROR, f"{silent}: see its log"))
            elif heard.level is not Level.OK and now - heard.since >= LASTS_S:
                # What the robot says of itself explains what others see of it.
                rank = RANK[heard.level], name.startswith("robot_node")
                bad.append((rank, heard.level, f"{name}: {heard.message}"))
        if not bad:
            return Level.OK, ""
        _, level, line = max(bad, key=lambda each: each[0])
        return level, line
