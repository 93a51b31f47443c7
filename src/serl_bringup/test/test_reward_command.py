"""`serl reward`: from frames to a judged classifier, and what each command says to bad files."""

import fcntl
import itertools
import json
import os
import pty
import subprocess
import sys
import termios
import time

import imageio.v2 as imageio
import numpy as np
import pytest

from serl_bringup import cli
from serl_bringup.keys import Keys
from serl_bringup.reward_data import collect
from serl_bringup.task import load_task
from serl_learner.backbone import make_backbone
from serl_learner.classifier import from_bytes, weights_version
from serl_learner.codec import encode_transition
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.policy import Policy, to_bytes
from serl_learner.transition import ObservationSpec, Transition
from serl_learner.transition_log import TransitionLog, load_transitions
from serl_reward.dataset import labelled_frames

TASK = "pcb_insertion"


def serl(monkeypatch, capsys, *arguments):
    """Exit code, standard output and error of the command."""
    monkeypatch.setattr(sys, "argv", ["serl", "reward", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


def drawing(rng, success):
    """A bright plug in noise, on the right where it is a success."""
    image = rng.integers(0, 60, (32, 32, 3), np.uint8)
    row, column = rng.integers(6, 16), rng.integers(6, 9) + 10 * success
    image[row : row + 8, column : column + 6] += 150
    return {"wrist": image}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Sixteen episodes that end with four successes."""
    rng, sequence = np.random.default_rng(0), 0
    path = tmp_path_factory.mktemp("reward") / "drawn.mcap"
    with TransitionLog(path, TASK) as log:
        for episode in range(16):
            labels = [False] * 6 + [True] * 4
            frames = [drawing(rng, label) for label in [False, *labels]]
            for step, success in enumerate(labels):
                ends = step == len(labels) - 1
                transition = Transition(
                    "agent", "actor", sequence, episode, step, frames[step],
                    np.zeros(6, np.float32), 0.0, False, ends, success,
                    final_observation=frames[-1] if ends else None,
                )  # fmt: skip
                log.append(encode_transition(transition))
                sequence += 1
    return path


@pytest.fixture(scope="module")
def model(recording):
    """Trained by the command, whose output is in the file `said` beside it."""
    path = recording.with_name("drawn.safetensors")
    arguments = ["reward", "train", TASK, str(recording), "--output", str(path), "--steps", "150"]
    code = f"import sys; sys.argv[1:] = {arguments!r}; from serl_bringup.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path.with_name("said").write_text(done.stdout)
    return path


def test_train_writes_a_classifier_with_its_figures_and_a_picture(model):
    classifier, figures = from_bytes(model.read_bytes())
    assert classifier.version == weights_version(classifier)
    assert figures["balanced_accuracy"][0] > 0.98
    assert figures["learned_from"]["positives"] == 48
    assert figures["held_out"] == {
        "positives": 16, "positive_episodes": 4, "negatives": 28, "negative_episodes": 4,
    }  # fmt: skip
    assert imageio.imread(model.with_suffix(".png")).std() > 10
    said = model.with_name("said").read_text()
    assert "balanced accuracy" in said and "16 of 4 episodes" in said and "warning" not in said


def test_frozen_keeps_the_backbone_of_the_task(model, recording, tmp_path, monkeypatch, capsys):
    assert from_bytes(model.read_bytes())[0].backbone.name == "tiny"
    path = tmp_path / "frozen.safetensors"
    options = "--frozen", "--steps", 5, "--output", path
    code, _, _ = serl(monkeypatch, capsys, "train", TASK, recording, *options)
    assert code == 0
    classifier, _ = from_bytes(path.read_bytes())
    assert classifier.backbone.name == load_task(TASK, observations="vision").encoder.backbone
    assert classifier.backbone.frozen


def test_check_shows_each_frame_of_a_recording_and_of_a_video(
    model, recording, tmp_path, monkeypatch, capsys
):
    film = tmp_path / "film.mp4"
    code, out, _ = serl(monkeypatch, capsys, "check", model, recording, "--output", film)
    figures = json.loads(out)
    assert code == 0 and figures["frames"] == 16 * 11
    assert sum(figures["confusion"].values()) == 16 * 11
    assert figures["balanced_accuracy"][0] > 0.98
    frames = imageio.mimread(film, memtest=False)
    assert len(frames) == 16 * 11
    assert frames[0].shape == (512, 384, 3)
    # The bar rises from none to all of its height with the probability.
    bar = np.array(frames)[:, 400:496, 20].astype(int)
    green = (bar[:, :, 1] - bar[:, :, 2] > 40).mean(axis=1)
    assert green[8:11].min() > 0.8 and green[:6].max() < 0.2

    code, out, _ = serl(monkeypatch, capsys, "check", model, film)  # a camera's video, unlabelled
    assert code == 0 and "confusion" not in json.loads(out)
    assert len(imageio.mimread(tmp_path / "film_judged.mp4", memtest=False)) == 16 * 11


def test_from_takes_frames_of_recordings(recording, tmp_path, monkeypatch, capsys):
    path = tmp_path / "taken.mcap"
    options = "--positives", 30, "--negatives", 40, "--output", path, "--from", recording
    code, out, _ = serl(monkeypatch, capsys, "collect", TASK, *options)
    assert code == 0 and "30 positive frames from 16 episodes" in " ".join(out.split())
    known = {
        frame.observation["wrist"].tobytes(): frame.success for frame in labelled_frames(recording)
    }
    taken = list(labelled_frames(path))
    assert 60 < len(taken) <= 30 + 40 + 16
    assert all(known[f.observation["wrist"].tobytes()] == f.success for f in taken)


def test_collect_labels_by_where_the_connector_is():
    transitions = []
    collect(load_task(TASK, observations="vision"), 8, 30, 3, transitions.append)
    labels = [t.success for t in transitions]
    assert sum(labels) >= 8 and len(labels) - sum(labels) >= 30
    assert [t.sequence for t in transitions] == list(range(len(transitions)))
    assert not any(t.terminated for t in transitions) and transitions[-1].truncated
    assert all(t.intervened for t in transitions)
    followed = itertools.pairwise(transitions)
    within = [(t.success, n.observation["pose"][2]) for t, n in followed if n.step == t.step + 1]
    depths = np.array([depth for success, depth in within if success])  # along the tool's axis
    np.testing.assert_allclose(depths, 0.04, atol=0.0015)  # the reset is 4 cm above the seat


def test_collect_shows_what_a_policy_does():
    encoder = EncoderConfig(backbone="tiny", stored_views=0)
    cameras = tuple((name, (128, 128, 3)) for name in ("wrist_1", "wrist_2"))
    spec = ObservationSpec((("pose", 6),), cameras)
    policy = Policy(spec, 6, (8,), encoder=encoder, backbone=make_backbone("tiny", "random"))
    transitions = []
    task = load_task(TASK, observations="vision")
    collect(task, 0, 12, 3, transitions.append, policy=policy)
    assert len(transitions) in (12, 13)  # the last one ends the episode
    assert not any(t.success or t.intervened for t in transitions)
    assert np.std([t.action for t in transitions], axis=0).min() > 0.05  # it explores


def test_a_policy_of_another_task_or_with_other_senses_is_refused(tmp_path, monkeypatch, capsys):
    checkpoint = tmp_path / "checkpoints" / "00000001" / "policy.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(to_bytes(Policy(ObservationSpec((("socket_pose", 6),)), 6, (8,))))
    load_task(TASK, observations="state").save(tmp_path / "config.yaml")
    options = "--output", tmp_path / "a.mcap", "--policy", tmp_path
    for task, message in (
        ("cable_routing", "expected a run of cable_routing"),
        (TASK, "policy: expected observations of"),
    ):
        code, _, err = serl(monkeypatch, capsys, "collect", task, *options)
        assert code == 2 and message in err and err.count("\n") == 1


def test_collect_without_cameras_is_refused():
    task = load_task(TASK, observations="state")
    with pytest.raises(ConfigError, match="pcb_insertion: expected observations of cameras"):
        collect(task, 1, 1, 0, lambda t: None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", TASK, "text.mcap"], "text.mcap: "),
        (["train", TASK, "none.mcap"], "none.mcap: cannot be read"),
        (["train", "nothing", "text.mcap"], "unknown task 'nothing'"),
        (
            ["train", TASK, "text.mcap", "--output", "a.pt"],
            "expected a name ending in .safetensors",
        ),
        (["collect", TASK, "--output", "text.mcap"], "text.mcap exists"),
        (["collect", TASK, "--from", "none.mcap"], "none.mcap: cannot be read"),
        (["collect", TASK, "--label", "key", "--from", "text.mcap"], "--label: expected no --from"),
        (
            ["collect", TASK, "--policy", "run", "--from", "text.mcap"],
            "--policy: expected no --from",
        ),
        (["collect", TASK, "--policy", "run"], "run is not a run folder"),
        (["collect", TASK, "--positives", "0", "--negatives", "0"], "expected frames of one at"),
        (["collect", TASK, "--label", "key"], "keys: expected a terminal"),
        (["check", "none.safetensors", "text.mcap"], "none.safetensors: cannot be read"),
        (["check", "text.safetensors", "text.mcap"], "text.safetensors: classifier of 12 bytes"),
        (["check", "text.safetensors", "film.avi"], "expected a name ending in .mcap or .mp4"),
    ],
)
def test_a_mistake_gets_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("serl_bringup.keys.TERMINAL", "/dev/none")
    for name in ("text.mcap", "text.safetensors"):
        (tmp_path / name).write_text("no such data")
    code, _, err = serl(monkeypatch, capsys, *arguments)
    assert code == 2
    assert message in err and err.count("\n") == 1
    assert not list(tmp_path.rglob("*.part"))


def test_check_refuses_what_the_classifier_has_not_been_trained_on(
    model, tmp_path, monkeypatch, capsys
):
    other = tmp_path / "other.mcap"
    image = {"wrist": np.zeros((8, 8, 3), np.uint8)}
    with TransitionLog(other, TASK) as log:
        action = np.zeros(6, np.float32)
        transition = Transition("agent", "actor", 0, 0, 0, image, action, 0.0, False, False)
        log.append(encode_transition(transition))
    code, _, err = serl(monkeypatch, capsys, "check", model, other)
    assert code == 2 and "observation wrist: expected uint8 (32, 32, 3)" in err
    (tmp_path / "no.mp4").write_text("no video")
    code, _, err = serl(monkeypatch, capsys, "check", model, tmp_path / "no.mp4")
    assert code == 2 and "no.mp4: no video" in err and err.count("\n") == 1


def test_the_space_bar_is_seen_at_once_and_the_terminal_is_restored(monkeypatch):
    person, terminal = pty.openpty()
    with os.fdopen(terminal):
        monkeypatch.setattr("serl_bringup.keys.TERMINAL", os.ttyname(terminal))
        before = termios.tcgetattr(terminal)
        with Keys() as keys:
            assert not keys.space()
            os.write(person, b"a  ")
            assert keys.pressed(10.0) == b"a  "
            assert not keys.space()
            os.write(person, b"a")
            assert keys.pressed(10.0) == b"a"
        assert termios.tcgetattr(terminal) == before
    os.close(person)


def test_a_person_labels_in_a_terminal(tmp_path):
    person, terminal = pty.openpty()
    path = tmp_path / "labelled.mcap"
    options = ["--label", "key", "--positives", "3", "--negatives", "5", "--output", str(path)]
    arguments = ["reward", "collect", TASK, *options]
    code = f"import sys; sys.argv[1:] = {arguments!r}; from serl_bringup.cli import main; main()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command,
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
    ) as process:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            os.write(person, b" ")
            time.sleep(0.35)  # every third or fourth step
        process.kill()
    os.close(person)
    os.close(terminal)
    assert process.returncode == 0
    labels = [t.success for t in load_transitions(path)]
    assert sum(labels) >= 3 and len(labels) - sum(labels) >= 5
