"""RL against cloning, over tasks and seeds: what `serl report` finds in run folders and tells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from serl_actor.reset import DEFAULT_AGENT
from serl_bringup.records import read_episodes
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task, load_task
from serl_learner.config import ConfigError, expect
from serl_learner.statistics import wilson_interval

WINDOW, SOLVED = 20, 19  # a policy is learned when so many of the last episodes succeeded
NAMES = {"rlpd": "RL", "bc": "cloning"}
# Of a task, what runs of one group have in common.
SETTINGS = ("environment", "reset", "rlpd", "encoder", "learner", "actor", "intervention", "bc")
# Of SERL's Table 2 and Figs. 6 and 7: minutes of training, and how many times the success of
# cloning from 100 demonstrations; for both agents of object relocation together.
PAPER = {
    "pcb_insertion": (20, 10.0),
    "cable_routing": (31, 5.0),
    "object_relocation": (105, 1.7),
    "peg_insertion": (19, None),
}


@dataclass(frozen=True)
class Outcome:
    """One evaluated policy."""

    path: Path
    settings: dict[str, Any]
    task: str  # TASK, or TASK/AGENT
    algorithm: str
    observations: str
    seed: int
    demos: int
    episodes: int  # of the evaluation; none of an agent that never had a turn
    successes: int
    cycle_time_s: float | None  # of the successful ones
    demo_cycle_time_s: float | None
    robot_minutes: float  # of the whole training
    learned_minutes: float | None  # of robot time, until 19 of 20 episodes succeeded


@dataclass(frozen=True)
class Group:
    """The seeds of one way to learn one task."""

    outcomes: tuple[Outcome, ...]

    @property
    def name(self) -> str:
        first = self.outcomes[0]
        return f"{NAMES[first.algorithm]}, {first.demos} demonstrations, {first.observations}"

    def is_of(self, algorithm: str, observations: str) -> bool:
        first = self.outcomes[0]
        return (first.algorithm, first.observations) == (algorithm, observations)

    @property
    def episodes(self) -> int:
        return sum(outcome.episodes for outcome in self.outcomes)

    @property
    def success_rate(self) -> float:
        """Of all episodes of all seeds."""
        return sum(outcome.successes for outcome in self.outcomes) / max(self.episodes, 1)

    @property
    def success_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, as if all episodes were of one policy."""
        if self.episodes == 0:
            return 0.0, 1.0
        return wilson_interval(sum(o.successes for o in self.outcomes), self.episodes)

    @property
    def cycle_times_s(self) -> list[float]:
        """Of each seed that succeeded at all."""
        return [o.cycle_time_s for o in self.outcomes if o.cycle_time_s is not None]

    @property
    def cycle_time_s(self) -> float | None:
        return float(np.mean(self.cycle_times_s)) if self.cycle_times_s else None


def settings_in(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Of each agent of a run, by its name."""
    own = {name: RunFolder.open(folder.path / name) for name in folder.agents()}
    found = own or {DEFAULT_AGENT: folder}
    return {name: settings_of(load_task(str(each.config))) for name, each in found.items()}


def settings_of(task: Task) -> dict[str, Any]:
    # Each run keeps a copy of its locator.
    task = replace(task, environment=replace(task.environment, locator=""))
    return {name: getattr(task, name) for name in SETTINGS}


def collect(folders: Iterable[RunFolder]) -> list[Outcome]:
    """Of each run, of each of its agents. Raises ConfigError for one that was not evaluated."""
    outcomes = []
    for folder in {folder.path: folder for folder in folders}.values():
        result, is_team = _evaluated(folder), bool(folder.agents())
        for name, own in settings_in(folder).items():
            each = result.get("agents", {}).get(name, {}) if is_team else result
            path = folder.path / name if is_team else folder.path
            outcomes.append(_outcome(RunFolder.open(path), own, each))
    return outcomes


def _outcome(folder: RunFolder, own: dict[str, Any], result: dict[str, Any]) -> Outcome:
    def value(key: str) -> Any:
        expect(key in result, f"{folder.path}: result.json", f"{key} in it", "none")
        return result[key]

    rate, minutes = value("success_rate"), value("robot_minutes")
    episodes = value("evaluation_episodes") if rate is not None else 0
    return Outcome(
        folder.path,
        own,
        *(value(key) for key in ("task", "algorithm", "observations", "seed", "demos")),
        episodes,
        round((rate or 0.0) * episodes),
        value("cycle_time_s"),
        value("demo_cycle_time_s"),
        minutes,
        _learned_minutes(folder, minutes / max(value("env_steps"), 1)),
    )


def _evaluated(folder: RunFolder) -> dict[str, Any]:
    """The result with an evaluation: that at the end of the training, else one made since."""
    results = folder.read_result(), folder.read_evaluation()
    for result in results:
        changed = result.get("evaluation_set")  # evaluated in another environment
        if result.get("success_rate") is not None and not changed:
            return result
    expected = f"an evaluation in it: serl evaluate {folder.path}"
    if "evaluation_episodes" in results[0]:
        expected = "a task that says when it is solved"
    raise ConfigError(f"{folder.path}: expected {expected}")


def _learned_minutes(folder: RunFolder, minutes_per_step: float) -> float | None:
    rows = read_episodes(folder.episodes) if folder.episodes.exists() else []
    successes = np.array([row["success"] for row in rows])
    for end in range(WINDOW, len(rows) + 1):
        if successes[end - WINDOW : end].sum() >= SOLVED:
            return rows[end - 1]["env_steps"] * minutes_per_step
    return None


def groups(outcomes: Sequence[Outcome]) -> dict[str, list[Group]]:
    """By task, RL first; in the order of their names.

    Raises ConfigError where runs of one way to learn differ in more than their seeds, or not even
    in those.
    """
    found: dict[tuple, list[Outcome]] = {}
    order = list(NAMES)
    for o in outcomes:
        key = o.task, order.index(o.algorithm), o.observations, o.demos
        found.setdefault(key, []).append(o)
    tasks: dict[str, list[Group]] = {}
    for key in sorted(found):
        first, *others = ordered = sorted(found[key], key=lambda outcome: outcome.seed)
        for other in others:
            differ = [s for s in SETTINGS if first.settings[s] != other.settings[s]]
            both = f"{first.path} and {other.path}"
            expect(not differ, both, "the same settings", f"others in {', '.join(differ)}")
        seeds = [outcome.seed for outcome in ordered]
        twice = len(set(seeds)) < len(seeds)
        expect(not twice, f"{key[0]}", "one run of each seed", f"seeds {seeds}")
        group = Group(tuple(ordered))
        tasks.setdefault(key[0], []).append(group)
    return tasks


def page(tasks: dict[str, list[Group]], picture: Path) -> str:
    """In Markdown: a table as SERL's Table 2 with the figures of its Figs. 6 and 7."""
    lines = [
        "# RL against cloning",
        "",
        f"![success rates and cycle times]({picture.name})",
        "",
        "| task | | seeds | success | 95 % interval | cycle time | demonstrations |"
        f" robot time | until {SOLVED} of {WINDOW} |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_row(task, group) for task, found in tasks.items() for group in found]
    ratios = [row for task, found in tasks.items() for row in _ratios(task, found)]
    if ratios:
        lines += ["", "| task | | RL against cloning: success | cycle time | SERL, from images |"]
        lines += ["|---|---|---:|---:|---|", *ratios]
    note = (
        "Intervals are Wilson's, as if all episodes were of one policy; times are means of seeds."
    )
    return "\n".join([*lines, "", note, ""])


def _row(task: str, group: Group) -> str:
    outcomes, (low, high) = group.outcomes, group.success_interval
    seeds = ", ".join(str(outcome.seed) for outcome in outcomes)
    cells = [
        *(task, group.name, seeds),
        f"{group.success_rate:.0%} of {group.episodes}",
        f"{low:.0%} to {high:.0%}",
        _seconds(group.cycle_times_s),
        _seconds([o.demo_cycle_time_s for o in outcomes if o.demo_cycle_time_s is not None]),
        f"{np.mean([o.robot_minutes for o in outcomes]):.1f} min",
        ", ".join(_minutes(outcome.learned_minutes) for outcome in outcomes),
    ]
    if outcomes[0].algorithm == "bc":
        cells[-2:] = ["", ""]
    return f"| {' | '.join(cells)} |"


def _minutes(time: float | None) -> str:
    return "not yet" if time is None else f"{time:.1f} min"


def _seconds(times: list[float]) -> str:
    if not times:
        return "none succeeded"
    spread = f" ({min(times):.2f} to {max(times):.2f})" if len(times) > 1 else ""
    return f"{np.mean(times):.2f} s{spread}"


def _ratios(task: str, found: list[Group]) -> list[str]:
    """The best of RL against the best of cloning, from the same observations."""
    rows = []
    for observations in sorted({group.outcomes[0].observations for group in found}):
        rl, clone = (
            max(
                (g for g in found if g.is_of(algorithm, observations)),
                key=lambda group: group.success_rate,
                default=None,
            )
            for algorithm in NAMES
        )
        if rl and clone:
            rows.append(_ratio(task, observations, rl, clone))
    return rows


def _ratio(task: str, observations: str, rl: Group, clone: Group) -> str:
    success, faster = "cloning never succeeds", ""
    if clone.success_rate:
        success = f"{rl.success_rate / clone.success_rate:.1f}x"
    if rl.cycle_time_s and clone.cycle_time_s:
        faster = f"{clone.cycle_time_s / rl.cycle_time_s:.1f}x as fast"
    return f"| {task} | {observations} | {success} | {faster} | {_paper(task)} |"


def _paper(task: str) -> str:
    minutes, ratio = PAPER.get(task.split("/")[0], (None, None))
    if minutes is None:
        return ""
    against = f"{ratio:g}x, at least 2x as fast, " if ratio else ""
    both = ", both agents" if "/" in task else ""
    return f"{against}100 % in {minutes} min{both}"
