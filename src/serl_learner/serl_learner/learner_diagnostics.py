"""How a learner is doing: whether it keeps up with the actors, how it trains, and its disk."""

import math
import os
from pathlib import Path

from serl_learner.diagnostics import Diagnostic, Level
from serl_learner.status import TrainerState, TrainerStatus
from serl_learner.trainer import LearnerConfig, TrainerPulse

BEHIND = 100  # transitions: ten seconds at 10 Hz
REACHED = 0.8  # of the update-to-data ratio that was asked for
SETTLED = 500  # transitions that were learned from, after which that is judged
LITTLE_GB, TOO_LITTLE_GB = 5.0, 1.0


def lag(pulse: TrainerPulse, missing: int, wrong: str, free_running: bool) -> Diagnostic:
    """`missing`: transitions known and not received; `wrong`: of those that cannot be used."""
    unlearned = pulse.received_steps - pulse.learned_steps
    values = {
        "not received (transitions)": missing,
        "received, not yet trained on (transitions)": unlearned,
        "received (transitions)": pulse.received_steps,
    }
    level, message = Level.OK, f"{missing + unlearned} transitions"
    if wrong:
        level, message = Level.ERROR, wrong
    elif missing > BEHIND:
        advice = "still coming, or a slow network: see the actor's log"
        level, message = Level.WARN, f"{missing} transitions have not arrived: {advice}"
    elif unlearned > BEHIND and not free_running:
        advice = "lower learner.utd_ratio, or learner.device: cuda"
        level, message = Level.WARN, f"{unlearned} transitions behind the actor: {advice}"
    return Diagnostic("lag", level, message, values)


def training(pulse: TrainerPulse, status: TrainerStatus, config: LearnerConfig) -> Diagnostic:
    asked = math.inf if config.free_running else config.utd_ratio
    values = {
        "state": status.state.name,
        "critic steps": status.critic_steps,
        "critic steps (1/s)": status.critic_steps_per_s,
        "critic step (ms)": 1000.0 * pulse.critic_step_s,
        "updates asked for (critic steps/transition)": asked,
        "updates reached (critic steps/transition)": status.utd_ratio,
        "replay (observations)": pulse.replay_size,
        "replay fill (%)": 100.0 * pulse.replay_size / config.replay_capacity,
        "demonstrations (transitions)": status.prior_size,
        "device": pulse.device,
    }
    learned_from = pulse.learned_steps - config.training_starts
    short = status.utd_ratio < REACHED * config.utd_ratio and learned_from > SETTLED
    if short and not config.free_running and status.state is TrainerState.TRAINING:
        message = (
            f"{status.utd_ratio:.2f} of {asked:.2f} updates per transition: lower"
            " learner.utd_ratio, or learner.device: cuda"
        )
        return Diagnostic("training", Level.WARN, message, values)
    message = status.message or f"{status.critic_steps_per_s:.0f} critic steps/s"
    return Diagnostic("training", Level.OK, f"{message} on {pulse.device}", values)


def run_folder(folder: Path, pulse: TrainerPulse) -> Diagnostic:
    """The disk that is left, and the age of the newest checkpoint."""
    there = next(path for path in (folder, *folder.parents) if path.exists())  # it may be made yet
    disk = os.statvfs(there)
    free_gb = disk.f_bavail * disk.f_frsize / 1e9
    values = {"free (GB)": free_gb, "last checkpoint's age (s)": pulse.checkpoint_age_s}
    level, advice = Level.OK, ""
    if free_gb < TOO_LITTLE_GB:
        level, advice = Level.ERROR, ": make room now, or the run ends; it goes on with --resume"
    elif free_gb < LITTLE_GB:
        level, advice = Level.WARN, ": make room"
    return Diagnostic("run folder", level, f"{free_gb:.1f} GB free{advice}", values)
