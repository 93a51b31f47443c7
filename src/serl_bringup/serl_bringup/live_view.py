"""One screen that shows how a run is doing."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from serl_bringup.progress import Progress, mean
from serl_bringup.run import Run
from serl_learner.diagnostics import Level

STATES = ("waiting for data", "training", "paced: waiting for fresh data", "stopped")


def render(run: Run, level: Level = Level.OK, worst: str = "") -> Panel:
    """The live panel of a run. `worst`: of what its nodes say of themselves; its level."""
    parts = [ProgressBar(total=max(run.max_steps, 1), completed=run.env_steps), Text("")]
    if run.is_team:
        parts.append(_columns(*_team_rows(run)))
    for agent in run.agents:
        if run.is_team:
            parts += [Text(""), Rule(f"[bold]{agent.name}[/bold]", align="left", style="dim")]
        parts += _agent_parts(run, agent.progress)
    if worst:
        parts.append(Text(worst, style="bold red" if level is Level.ERROR else "yellow"))
    subtitle = f"{run.folder.path}   Ctrl-C stops and keeps everything"
    return Panel(Group(*parts), title=f"[bold]{run.task}[/bold]", subtitle=subtitle)


def text(run: Run, level: Level = Level.OK, worst: str = "") -> str:
    """The same in a line for each agent, for logs and pipes, and one for `worst`."""
    return "\n".join([*_lines(run), *([f"  {level.name} {worst}"] if worst else [])])


def _lines(run: Run) -> list[str]:
    if not run.is_team:
        return [f"step {run.env_steps}/{run.max_steps}  {_line(run.agents[0].progress)}"]
    total = (
        f"step {run.env_steps}/{run.max_steps}  {run.robot_minutes:.1f} robot min  "
        f"{run.wall_minutes:.1f} wall min  episodes {run.episodes}  rescues {run.rescues}"
    )
    agents = (f"  {a.name}: step {a.progress.env_steps}  {_line(a.progress)}" for a in run.agents)
    return [total, *agents]


def _line(progress: Progress) -> str:
    learner = progress.learner
    outcome = (
        f"success {_percent(progress.recent_success_rate)}"
        if progress.has_success
        else f"return {progress.recent_return:.1f}"
    )
    text = (
        f"{progress.robot_minutes:.1f} robot min  "
        f"{progress.wall_minutes:.1f} wall min  episodes {progress.episodes}  {outcome} "
        f"(last {len(progress.recent)})  length {_number(progress.recent_length, '.0f')}"
    )
    if learner is not None:
        text += (
            f"  updates {learner.critic_steps} ({learner.critic_steps_per_s:.0f}/s, "
            f"{learner.utd_ratio:.2f} per step)  q {_number(learner.q_mean)}"
        )
        if learner.message:
            text += f"  {learner.message}"
    return text


def _agent_parts(run: Run, progress: Progress) -> list[RenderableType]:
    limit = "" if run.is_team else f" / {run.max_steps}"  # of all of them
    parts = [
        _columns(_task_rows(progress, limit), _learner_rows(progress)),
        Text(""),
        _episode_line(progress),
    ]
    if progress.learner is not None and progress.learner.message:
        parts.append(Text(progress.learner.message, style="yellow"))
    return parts


def _team_rows(run: Run) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What agents do together."""
    left = [
        ("environment steps", f"{run.env_steps} / {run.max_steps}"),
        ("robot minutes", f"{run.robot_minutes:.1f}"),
    ]
    return left, [("episodes", f"{run.episodes}"), ("put back from outside", f"{run.rescues}")]


def _task_rows(progress: Progress, limit: str) -> list[tuple[str, str]]:
    outcome = (
        ("success, last 20 episodes", _percent(progress.recent_success_rate))
        if progress.has_success
        else ("return, last 20 episodes", _number(progress.recent_return, ".1f"))
    )
    rows = [
        ("environment steps", f"{progress.env_steps}{limit}"),
        ("robot minutes", f"{progress.robot_minutes:.1f}"),
        ("wall minutes", f"{progress.wall_minutes:.1f}"),
        ("episodes", f"{progress.episodes}"),
        outcome,
        ("episode length", f"{_number(progress.recent_length, '.0f')} steps"),
    ]
    if progress.intervened_steps:
        rows.append(("corrected by a person", _percent(progress.intervened_share)))
    if progress.rescues:
        rows.append(("put back from outside", f"{progress.rescues}"))
    if progress.discarded:
        rows.append(("discarded, something failed", f"{progress.discarded}"))
    if progress.on_time_shares:
        rows.append(("steps on time", _percent(mean(progress.on_time_shares))))
    return rows


def _learner_rows(progress: Progress) -> list[tuple[str, str]]:
    learner = progress.learner
    if learner is None:
        return [("learner", "starting")]
    return [
        ("learner", STATES[learner.state]),
        ("critic steps", f"{learner.critic_steps}  ({learner.critic_steps_per_s:.0f}/s)"),
        ("updates per step", f"{learner.utd_ratio:.2f}"),
        (
            "critic, actor loss",
            f"{_number(learner.critic_loss, '.4f')}, {_number(learner.actor_loss)}",
        ),
        (
            "Q, entropy, temperature",
            f"{_number(learner.q_mean)}, {_number(learner.entropy)}, "
            f"{_number(learner.temperature, '.4f')}",
        ),
        ("replay, demonstrations", f"{learner.online_size}, {learner.prior_size}"),
    ]


def _columns(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    for style in ("dim", "bold", "dim", "bold"):
        table.add_column(style=style)
    for i in range(max(len(left), len(right))):
        row = [side[i] if i < len(side) else ("", "") for side in (left, right)]
        table.add_row(*row[0], *row[1])
    return table


def _episode_line(progress: Progress) -> Text:
    """One mark per recent episode, oldest first."""
    text = Text("recent episodes  ", style="dim")
    for episode in progress.recent:
        text.append("● " if episode.success else "○ ", style="green" if episode.success else "red")
    return text


def _number(value: float, form: str = ".2f") -> str:
    return format(value, form) if value == value else "-"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if value == value else "-"
