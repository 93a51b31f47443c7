import math
from dataclasses import replace

import pytest

from serl_learner import learner_diagnostics
from serl_learner.diagnostics import Level, Rate
from serl_learner.learner_diagnostics import lag, run_folder, training
from serl_learner.status import TrainerState, TrainerStatus
from serl_learner.trainer import LearnerConfig, TrainerPulse

PULSE = TrainerPulse("cpu", 1000, 1000, 900, critic_step_s=0.02, checkpoint_age_s=math.nan)
FIGURES = {"critic_loss": 0.0, "actor_loss": 0.0, "q_mean": 0.0, "entropy": 0.0}
STATUS = TrainerStatus(
    TrainerState.TRAINING, "", 1000, 3200, 800, 4.0, 40.0, 900, 500, 0,
    temperature=0.0, reward_loss=0.0, **FIGURES,
)  # fmt: skip


def test_a_rate_is_that_since_the_last_look():
    times = iter([0.0, 2.0, 3.0, 3.0])
    rate = Rate(lambda: next(times))
    assert [rate(10), rate(40), rate(40)] == [5.0, 30.0, 0.0]


@pytest.mark.parametrize(
    ("learned", "missing", "wrong", "free_running", "level", "words"),
    [
        (1000, 0, "", False, Level.OK, "0 transitions"),
        (930, 20, "", False, Level.OK, "90 transitions"),
        (899, 0, "", False, Level.WARN, "101 transitions behind the actor: lower learner.utd"),
        (800, 0, "", True, Level.OK, "200 transitions"),
        (1000, 101, "", False, Level.WARN, "101 transitions have not arrived"),
        (1000, 0, "refused: it", False, Level.ERROR, "refused: it"),
    ],
)
def test_lag(learned, missing, wrong, free_running, level, words):
    found = lag(replace(PULSE, learned_steps=learned), missing, wrong, free_running)
    assert found.level is level and found.message.startswith(words)
    assert found.values["received, not yet trained on (transitions)"] == 1000 - learned


@pytest.mark.parametrize(
    ("reached", "learned", "state", "level"),
    [
        (4.0, 1000, TrainerState.TRAINING, Level.OK),
        (3.0, 1000, TrainerState.TRAINING, Level.WARN),
        (3.0, 600, TrainerState.TRAINING, Level.OK),  # too early to tell
        (3.0, 1000, TrainerState.PACED, Level.OK),
    ],
)
def test_fewer_updates_than_asked_for(reached, learned, state, level):
    config = LearnerConfig(replay_capacity=1800, training_starts=200)
    status = replace(STATUS, utd_ratio=reached, state=state)
    found = training(replace(PULSE, learned_steps=learned), status, config)
    assert found.level is level
    assert found.values["replay fill (%)"] == 50.0 and found.values["critic step (ms)"] == 20.0
    assert ("3.00 of 4.00" in found.message) == (level is Level.WARN)


def test_the_disk_runs_out_by_steps(tmp_path, monkeypatch):
    folder = tmp_path / "not" / "yet"
    free_gb = run_folder(folder, PULSE).values["free (GB)"]
    for little, too_little, level in (
        (0.5, 0.25, Level.OK), (2.0, 0.5, Level.WARN), (2.0, 1.5, Level.ERROR),
    ):  # fmt: skip
        monkeypatch.setattr(learner_diagnostics, "LITTLE_GB", little * free_gb)
        monkeypatch.setattr(learner_diagnostics, "TOO_LITTLE_GB", too_little * free_gb)
        found = run_folder(folder, PULSE)
        assert found.level is level and ("make room" in found.message) == (level > Level.OK)
