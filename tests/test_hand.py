"""`serl demos record --device keyboard`, typed by a person in a terminal."""

import os
import pty
import re
import signal
import subprocess

import numpy as np
import pytest
import yaml
from running import wait_until
from serl_command import command, environment, serl

from serl_learner.transition_log import load_transitions

pytestmark = pytest.mark.ros


COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command in a terminal: what it prints, and keys to press."""

    def __init__(self, *arguments):
        self._keyboard, terminal = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            command(*arguments),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment(),
            start_new_session=True,
        )
        os.close(terminal)
        os.set_blocking(self._keyboard, False)

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def shows(self, text: str, keys: bytes = b"") -> None:
        """Waits until it has printed that, pressing the keys again and again."""

        def printed() -> bool:
            self._take()
            if keys and text not in self.text:
                self.press(keys)
            return text in self.text

        wait_until(printed, lambda: f"{text!r} in:\n{self.text}")

    def ends(self) -> int:
        def ended() -> bool:
            self._take()
            return self.process.poll() is not None

        wait_until(ended, lambda: f"an end of:\n{self.text}")
        self._take()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._keyboard)

    def _take(self) -> None:
        try:
            while data := os.read(self._keyboard, 4096):
                self.text += COLOURS.sub("", data.decode(errors="replace"))
        except (BlockingIOError, OSError):  # nothing now; nobody at the other end
            pass


@pytest.fixture
def record(tmp_path):
    """Starts the recording of a pointer by keyboard; `sections` are of its task file."""
    started = []

    def start(episodes: int, **sections):
        path = tmp_path / "pointer.yaml"
        task = {"task": "pointer", "environment": {"id": "pointer:Pointer-v0"}}
        task["environment"] |= sections.pop("environment", {})
        content = {"/**": {"ros__parameters": task | sections}}
        path.write_text(yaml.safe_dump(content))
        arguments = ("demos", "record", path, "--device", "keyboard", "--episodes", episodes)
        started.append(Terminal(*arguments, "--output", tmp_path / "demos.mcap"))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def recorded(tmp_path) -> list[list]:
    episodes: dict[int, list] = {}
    for t in load_transitions(tmp_path / "demos.mcap", "pointer"):
        episodes.setdefault(t.episode, []).append(t)
    return list(episodes.values())


def test_a_person_shows_a_task_and_drops_what_went_wrong(record, tmp_path):
    terminal = record(episodes=2)
    terminal.shows("F drops the episode")
    terminal.shows("kept: 1 of 2", keys=b"w")
    terminal.shows("dropped: 1 of 2", keys=b"sf")
    terminal.shows("kept: 2 of 2", keys=b"w")
    assert terminal.ends() == 0, terminal.text
    assert "recorded 2 demonstrations (1 failed ones dropped)" in terminal.text
    for episode in recorded(tmp_path):
        assert episode[0].intervened  # it began when the person moved
        assert episode[-1].success and episode[-1].terminated
        moved = np.array([t.action for t in episode if t.intervened])
        assert not moved[:, 1:].any() and np.abs(moved[:, 0]).tolist() == [1.0] * len(moved)
        assert moved.sum() == 4.0  # steps to the goal, whatever was taken back
        assert not any(t.action.any() for t in episode if not t.intervened)
        stamps = np.array([t.stamp_ns for t in episode])  # before each step; it takes no time
        assert np.diff(stamps[1:]).min() > 20e6  # at the robot's rate, of 50 ms


def test_where_nobody_knows_the_success_space_says_it(record, tmp_path):
    terminal = record(1, environment={"arguments": {"knows": False}}, reward={"source": "human"})
    terminal.shows("SPACE is a success")
    terminal.press(b" ")  # about no step: the episode begins with the first motion
    terminal.shows("kept: 1 of 1", keys=b"d ")
    assert terminal.ends() == 0, terminal.text
    (episode,) = recorded(tmp_path)
    assert [t.success for t in episode] == [False] * (len(episode) - 1) + [True]
    assert episode[-1].reward == 1.0


def test_an_interrupted_recording_keeps_what_is_finished(record, tmp_path):
    terminal = record(episodes=5)
    terminal.shows("kept: 1 of 5", keys=b"w")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.ends() == 0, terminal.text
    assert "recorded 1 demonstrations" in terminal.text
    assert len(recorded(tmp_path)) == 1
    assert not list(tmp_path.glob("*.part"))


def test_mistakes_are_told_in_one_line(tmp_path):
    output = ("--output", tmp_path / "demos.mcap")
    pipe = {"stdin": subprocess.DEVNULL}
    for device, message in (
        ("keyboard", "keys: expected a terminal as standard input"),
        ("mouse", "device: expected one of none, scripted, spacemouse, gamepad"),
        ("none", "--device: expected scripted, or one that a person holds, got none"),
    ):
        done = serl("demos", "record", "pcb_insertion", "--device", device, *output, **pipe)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert message in done.stderr
    assert not list(tmp_path.iterdir())
