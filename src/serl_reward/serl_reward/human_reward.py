"""A person's judgement, given by a key: during an episode, or at its end when asked for."""

import threading
import time

from serl_learner.reward import Judgement, Step


class HumanReward:
    """Sparse reward of the person who watches.

    A label belongs to the step during which the key was pressed: the one whose first observation is
    older than the key and which is judged next. So success ends the episode at most one control
    period after the key, and nothing that was pressed between two episodes counts. Failure ends
    nothing: the episode goes on until its time is over. A last step without a label is pending, and
    asked again until the key comes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._label: tuple[bool, int] | None = None  # success; Unix time of the key

    def label(self, success: bool, stamp_ns: int | None = None) -> None:
        """Takes a key; a later one replaces it."""
        with self._lock:
            self._label = success, time.time_ns() if stamp_ns is None else stamp_ns

    def __call__(self, step: Step) -> Judgement:
        with self._lock:
            label, self._label = self._label, None
        if label is not None and label[1] >= step.began_ns:
            success = label[0]
            return Judgement(float(success), success, float(success))
        return Judgement(0.0, False, 0.0, pending=step.last)
