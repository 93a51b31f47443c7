"""A person's keys: SPACE is a success, F a failure; or SPACE says that a reset is done."""

import threading
from collections.abc import Sequence

from rclpy.node import Node
from std_msgs.msg import Bool, Empty

from serl_bringup.keys import SPACE, Keys
from serl_learner.qos import COMMAND

FAILURE = b"fF"
POLL_S = 0.1  # longest wait for a key, so that the end is seen


class PersonKeys:
    """Publishes what is pressed while this context is open.

    Each agent of `labelled` gets `reward/label`; a namespace in `resets` gets `reset/confirm`,
    which counts only while it is asked for. Raises ConfigError where there is no terminal to press
    keys in.
    """

    def __init__(self, labelled: Sequence[str], resets: Sequence[str] = ()):
        self._labelled, self._resets = labelled, resets
        self._keys = Keys()
        self._over = threading.Event()

    def __enter__(self) -> "PersonKeys":
        self._keys.__enter__()
        self._node = node = Node("person")
        self._labels = [
            node.create_publisher(Bool, f"/{agent}/reward/label", COMMAND)
            for agent in self._labelled
        ]
        self._confirms = [
            node.create_publisher(Empty, f"{namespace}/reset/confirm", COMMAND)
            for namespace in self._resets
        ]
        self._thread = threading.Thread(target=self._read, name="person keys", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._over.set()
        self._thread.join()
        self._node.destroy_node()
        self._keys.__exit__(*details)

    def _read(self) -> None:
        while not self._over.is_set():
            for key in self._keys.pressed(POLL_S):
                self._publish(key)

    def _publish(self, key: int) -> None:
        if key in SPACE or key in FAILURE:
            for label in self._labels:
                label.publish(Bool(data=key in SPACE))
        if key in SPACE:
            for confirm in self._confirms:
                confirm.publish(Empty())
