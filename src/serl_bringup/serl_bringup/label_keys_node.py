"""A person's keys as labels for the reward node: SPACE is a success, F a failure."""

import threading

from rclpy.node import Node
from std_msgs.msg import Bool

from serl_bringup.keys import SPACE, Keys
from serl_learner.qos import COMMAND

FAILURE = b"fF"
POLL_S = 0.1  # longest wait for a key, so that the end is seen


class LabelKeys:
    """Publishes `reward/label` at each of the two keys, while this context is open.

    Raises ConfigError where there is no terminal to press them in.
    """

    def __init__(self, agent: str):
        self._agent = agent
        self._keys = Keys()
        self._over = threading.Event()

    def __enter__(self) -> "LabelKeys":
        self._keys.__enter__()
        self._node = Node("person", namespace=f"/{self._agent}")
        self._labels = self._node.create_publisher(Bool, "reward/label", COMMAND)
        self._thread = threading.Thread(target=self._read, name="label keys", daemon=True)
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
                if key in SPACE or key in FAILURE:
                    self._labels.publish(Bool(data=key in SPACE))
