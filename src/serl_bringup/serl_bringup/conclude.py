"""What each agent of a run ends with: evaluation, video, learning curve, result and report."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import gymnasium as gym
import torch
from rich.console import Console

from serl_actor.demonstrations import summarise
from serl_actor.environment import make_environment
from serl_actor.evaluation import EvaluationResult, evaluate
from serl_actor.judged import JudgedEnvironment
from serl_actor.latest_policy import check_fits
from serl_bringup.plot import plot_learning_curves
from serl_bringup.progress import Progress
from serl_bringup.records import read_episodes
from serl_bringup.report import report, table
from serl_bringup.run import AgentRun
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task
from serl_bringup.video import record_video
from serl_learner.checkpoint import REWARD_FILE
from serl_learner.config import ConfigError
from serl_learner.policy import Policy, from_bytes
from serl_learner.transition_log import load_transitions
from serl_reward.rewards import make_reward

EVALUATION_SEED = 10_000  # far from the training seeds: the starts are new to the policy


def conclude(agent: AgentRun, algorithm: str, evaluation_episodes: int, console: Console) -> None:
    """Writes an agent's results; with no evaluation episodes (stopped early), of its training."""
    task, folder, progress = agent.task, agent.folder, agent.progress
    result = _training_result(task, folder, progress, algorithm)
    folder.write_result(result)
    if folder.episodes.exists() and read_episodes(folder.episodes):
        plot_learning_curves([folder], folder.learning_curve)
    if evaluation_episodes and folder.policies():  # one that never acted may have none
        policy = load_policy(folder.latest_policy())
        console.print(f"evaluating the policy over {evaluation_episodes} episodes")
        judged = judged_environment(task, folder)
        evaluation = evaluate_policy(task, policy, evaluation_episodes, EVALUATION_SEED, judged)
        result |= evaluation_figures(evaluation)
        if not (progress.has_success or evaluation.success_rate):
            result["success_rate"] = None  # an environment that never says so: the return counts
        folder.write_result(result)
        record_video(task, policy, folder.video, EVALUATION_SEED, console, judged)
    folder.report.write_text(report(result, folder))
    console.print(table(result))
    console.print(f"results in {folder.path}", soft_wrap=True)


def load_policy(path: Path) -> Policy:
    try:
        return from_bytes(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def judged_environment(task: Task, folder: RunFolder) -> Callable[[gym.Env], gym.Env] | None:
    """What puts the task's reward around an environment, as `make_environment` takes it.

    None where the environment judges itself, and where the reward is a person's or a classifier's
    that this run never trained: then the environment's own word has to do.
    """
    source, learned = task.reward.source, None
    if source == "vice":
        learned = folder.latest_policy().with_name(REWARD_FILE)
    if source in ("environment", "human") or (learned and not learned.is_file()):
        return None
    return partial(JudgedEnvironment, judge=make_reward(task.reward, task.vice, learned))


def evaluate_policy(
    task: Task,
    policy: Policy,
    episodes: int,
    seed: int,
    judged: Callable[[gym.Env], gym.Env] | None = None,
) -> EvaluationResult:
    torch.set_num_threads(1)  # as an actor: beside a training, more would wait for each other
    environment = make_environment(task.environment, judged=judged)
    try:
        check_fits(policy, environment)
        return evaluate(environment, policy, episodes, seed)
    finally:
        environment.close()


def evaluation_figures(evaluation: EvaluationResult) -> dict[str, Any]:
    low, high = evaluation.success_interval
    errors = evaluation.errors
    return {
        "evaluation_episodes": evaluation.episodes,
        "success_rate": evaluation.success_rate,
        "success_interval_95": [round(low, 4), round(high, 4)],
        "cycle_time_s": evaluation.cycle_time_s,
        "mean_return": evaluation.mean_return,
        "reward_errors": asdict(errors) if errors else None,
    }


def _training_result(
    task: Task, folder: RunFolder, progress: Progress, algorithm: str
) -> dict[str, Any]:
    learner = progress.learner
    demonstrations = _demonstration_figures(task, progress.control_period_s)
    latencies, on_time = progress.policy_latencies_s, progress.on_time_shares
    return {
        "task": task.task,
        "algorithm": algorithm,
        "observations": task.environment.arguments.get("observations", "state"),
        "seed": task.run.seed,
        "env_steps": progress.env_steps,
        "robot_minutes": round(progress.robot_minutes, 2),
        "wall_minutes": round(progress.wall_minutes, 2),
        "episodes": progress.episodes,
        "rescues": progress.rescues,
        "success_rate": None,
        "cycle_time_s": None,
        "critic_steps": learner.critic_steps if learner else 0,
        "utd_ratio": round(learner.utd_ratio, 3) if learner else 0.0,
        "demos": demonstrations["episodes"],
        "demo_cycle_time_s": demonstrations["cycle_time_s"],
        "training_success_rate": progress.recent_success_rate if progress.recent else None,
        "transitions_missing": learner.missing if learner else 0,
        "transitions_backfilled": learner.backfilled if learner else 0,
        "policy_latency_ms": round(1000 * median(latencies), 1) if latencies else None,
        "steps_on_time": round(mean(on_time), 4) if on_time else None,
    }


def _demonstration_figures(task: Task, control_period_s: float) -> dict[str, Any]:
    if not task.run.demonstrations:
        return {"episodes": 0, "cycle_time_s": None}
    summary = summarise(load_transitions(task.run.demonstrations, task.task))
    return {
        "episodes": summary.episodes,
        "cycle_time_s": round(summary.mean_length * control_period_s, 2),
    }
