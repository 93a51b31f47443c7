"""Sends large messages of which only the newest counts, one after the other."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.publisher import Publisher

PATIENCE_S = 5.0  # for a reader that may be gone: it is missed only after the lease of 20 s


class NewestPublisher:
    """Publishes the newest message as soon as the one before has arrived everywhere.

    A message replaces the one before even where that is half sent (QoS POLICY). Over a network that
    takes longer for one than the next one takes to come, none would ever arrive.

    Not for several threads.
    """

    def __init__(self, publisher: Publisher, clock: Callable[[], float] = time.monotonic):
        self._publisher, self._clock = publisher, clock
        self._waiting: Any = None  # the message that goes next
        self._sent_at = -PATIENCE_S

    @property
    def waits(self) -> bool:
        """Whether a message has not been sent yet."""
        return self._waiting is not None

    def put(self, message: Any) -> None:
        self._waiting = message
        self.poll()

    def poll(self) -> None:
        """Sends what waits, if it may go by now; returns at once."""
        if self.waits and self._is_free():
            self._publisher.publish(self._waiting)
            self._waiting, self._sent_at = None, self._clock()

    def _is_free(self) -> bool:
        late = self._clock() - self._sent_at >= PATIENCE_S
        return late or self._publisher.wait_for_all_acked(Duration())
