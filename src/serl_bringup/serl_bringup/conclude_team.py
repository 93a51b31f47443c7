"""What a run of several agents ends with, beside the results of each: theirs together."""

from typing import Any

from rich.console import Console

from serl_bringup.assessment import together
from serl_bringup.plot import plot_learning_curves
from serl_bringup.records import read_episodes
from serl_bringup.report import team_report, team_table
from serl_bringup.run import Run


def conclude_team(run: Run, algorithm: str, console: Console) -> None:
    """Writes result.json, learning curves and report of all agents, whose own are there."""
    result = _result(run, algorithm)
    run.folder.write_result(result)
    folders = [agent.folder for agent in run.agents]
    trained = [f for f in folders if f.episodes.exists() and read_episodes(f.episodes)]
    if trained:
        plot_learning_curves(trained, run.folder.learning_curve)
    run.folder.report.write_text(team_report(result, run.folder))
    console.print(team_table(result))
    console.print(f"results in {run.folder.path}", soft_wrap=True)


def _result(run: Run, algorithm: str) -> dict[str, Any]:
    results = {agent.name: agent.folder.read_result() for agent in run.agents}
    corrected = sum(agent.progress.intervened_steps for agent in run.agents)
    return {
        "task": run.task,
        "algorithm": algorithm,
        "seed": run.agents[0].task.run.seed,
        "env_steps": run.env_steps,
        "robot_minutes": round(run.robot_minutes, 2),
        "wall_minutes": round(run.wall_minutes, 2),
        "episodes": run.episodes,
        "rescues": run.rescues,
        "intervened_share": round(corrected / max(run.env_steps, 1), 4),
        "rescues_per_1000_steps": round(1000 * run.rescues / max(run.env_steps, 1), 3),
    } | together(results)
