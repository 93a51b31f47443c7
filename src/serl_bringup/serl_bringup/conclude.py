"""What a run ends with: evaluation, videos, learning curves, results and reports."""

from statistics import mean, median
from typing import Any

from rich.console import Console

from serl_actor.demonstrations import summarise
from serl_bringup.assessment import Trained, assess, figures, film
from serl_bringup.conclude_team import conclude_team
from serl_bringup.plot import plot_learning_curves
from serl_bringup.progress import Progress
from serl_bringup.records import read_episodes
from serl_bringup.report import report, table
from serl_bringup.run import AgentRun, Run
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task
from serl_learner.transition_log import load_transitions

EVALUATION_SEED = 10_000  # far from the training seeds: the starts are new to the policy


def conclude(run: Run, algorithm: str, evaluation_episodes: int, console: Console) -> None:
    """Writes all results; with no evaluation episodes (stopped early), of the training alone."""
    for agent in run.agents:
        result = _training_result(agent.task, agent.folder, agent.progress, algorithm)
        agent.folder.write_result(result)
        if agent.folder.episodes.exists() and read_episodes(agent.folder.episodes):
            plot_learning_curves([agent.folder], agent.folder.learning_curve)
    # Without demonstrations, one that never acted has no policy.
    has_policy = all(agent.folder.policies() for agent in run.agents)
    if evaluation_episodes and has_policy and not run.agents[0].task.needs_robot:
        _evaluate(run, evaluation_episodes, console)
    elif run.agents[0].task.needs_robot:
        console.print(f"on the robot: serl evaluate {run.folder.path}", soft_wrap=True)
    for agent in run.agents:
        result = agent.folder.read_result()
        agent.folder.report.write_text(report(result, agent.folder))
        console.print(table(result))
        console.print(f"results in {agent.folder.path}", soft_wrap=True)
    if run.is_team:
        conclude_team(run, algorithm, console)


def _evaluate(run: Run, episodes: int, console: Console) -> None:
    """Adds the evaluation to what each agent's result.json has, and films it."""
    how = " each, in turns" if run.is_team else ""
    console.print(f"evaluating: {episodes} episodes{how}")
    agents = {agent.name: Trained(agent.task, agent.folder) for agent in run.agents}
    evaluations = assess(agents, episodes, EVALUATION_SEED, console)
    for agent in run.agents:
        if agent.name in evaluations:
            _add_evaluation(agent, figures(evaluations[agent.name]))
    film(agents, run.folder.video, EVALUATION_SEED, console)


def _add_evaluation(agent: AgentRun, found: dict[str, Any]) -> None:
    if not (agent.progress.has_success or found["success_rate"]):
        found["success_rate"] = None  # an environment that never says so: the return counts
    agent.folder.write_result(agent.folder.read_result() | found)


def _training_result(
    task: Task, folder: RunFolder, progress: Progress, algorithm: str
) -> dict[str, Any]:
    learner = progress.learner
    demonstrations = _demonstration_figures(task, progress.control_period_s)
    latencies, on_time = progress.policy_latencies_s, progress.on_time_shares
    ages = progress.observation_ages_s
    return {
        "task": task.task,
        "algorithm": algorithm,
        "observations": _observations(task),
        "seed": task.run.seed,
        "env_steps": progress.env_steps,
        "robot_minutes": round(progress.robot_minutes, 2),
        "wall_minutes": round(progress.wall_minutes, 2),
        "episodes": progress.episodes,
        "rescues": progress.rescues,
        "intervened_share": round(progress.intervened_share, 4),
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
        "observation_age_ms": round(1000 * median(ages), 1) if ages else None,
        "steps_on_time": round(mean(on_time), 4) if on_time else None,
    }


def _observations(task: Task) -> str:
    given = task.in_simulation().environment.arguments
    return given.get("observations", "vision" if given.get("cameras") else "state")


def _demonstration_figures(task: Task, control_period_s: float) -> dict[str, Any]:
    if not task.run.demonstrations:
        return {"episodes": 0, "cycle_time_s": None}
    summary = summarise(load_transitions(task.run.demonstrations, task.task))
    return {
        "episodes": summary.episodes,
        "cycle_time_s": round(summary.mean_length * control_period_s, 2),
    }
