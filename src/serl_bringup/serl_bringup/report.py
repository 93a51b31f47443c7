"""A run's result as a table on the screen and as a page to show."""

from typing import Any

from rich.table import Table

from serl_bringup.run_folder import RunFolder

NOTHING = "not measured"


def _rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    def show(key: str, form: str) -> str:
        return format(result[key], form) if result.get(key) is not None else NOTHING

    return [
        ("success rate", show("success_rate", ".0%")),
        ("mean return", show("mean_return", ".2f")),
        ("cycle time, s", show("cycle_time_s", ".2f")),
        ("cycle time of the demonstrations, s", show("demo_cycle_time_s", ".2f")),
        ("environment steps", show("env_steps", "d")),
        ("robot minutes", show("robot_minutes", ".1f")),
        ("wall minutes", show("wall_minutes", ".1f")),
        ("critic steps per environment step", show("utd_ratio", ".2f")),
        ("demonstrations", show("demos", "d")),
        *_correction_rows(result),
        *_reward_rows(result),
    ]


def _correction_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    share = result.get("intervened_share")
    return [("steps corrected by a person", f"{share:.1%}")] if share else []


def _reward_rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The false-positive meter: what a reward from outside said against the truth."""
    errors = result.get("reward_errors")
    if not errors:
        return []
    episodes, unsolved = result["evaluation_episodes"], errors["steps"] - errors["solved_steps"]
    return [
        ("reward said success without one, episodes", f"{errors['false_successes']} of {episodes}"),
        ("reward missed a success, episodes", f"{errors['missed_successes']} of {episodes}"),
        (
            "reward said success without one, steps",
            f"{errors['false_positive_steps']} of {unsolved}",
        ),
        (
            "reward missed a success, steps",
            f"{errors['false_negative_steps']} of {errors['solved_steps']}",
        ),
    ]


def _team_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row of names, the figures of all agents together and, behind them, those of each."""
    agents = result["agents"]
    columns = [dict(_rows(each)) for each in (result, *agents.values())]
    columns[0] = {name: "" if value == NOTHING else value for name, value in columns[0].items()}
    rows = [(name, *(column.get(name, NOTHING) for column in columns)) for name in columns[0]]
    rescued = result["rescues"], *(each["rescues"] for each in agents.values())
    rate = f"{result['rescues_per_1000_steps']:.1f}"
    unmeasured = [row for row in rows if set(row[2:]) == {NOTHING}]
    return [
        ("", "together", *agents),
        *(row for row in rows if row not in unmeasured),
        ("put back from outside", *map(str, rescued)),
        ("put back per 1000 steps", rate, *("" for _ in agents)),
    ]


def _title(result: dict[str, Any]) -> str:
    return f"{result['task']}, {result['algorithm']}, seed {result['seed']}"


def table(result: dict[str, Any]) -> Table:
    table = Table(title=_title(result))
    table.add_column("")
    table.add_column("", justify="right")
    for row in _rows(result):
        table.add_row(*row)
    return table


def team_table(result: dict[str, Any]) -> Table:
    header, *rows = _team_rows(result)
    table = Table(title=_title(result))
    for name in header:
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(*row)
    return table


def team_report(result: dict[str, Any], folder: RunFolder) -> str:
    header, *rows = _team_rows(result)
    lines = [
        f"# {_title(result)}",
        "",
        f"| {' | '.join(header)} |",
        f"|---|{'---:|' * (len(header) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
    lines += _pictures(folder)
    of_each = ", ".join(f"[{agent}]({agent}/report.md)" for agent in result["agents"])
    lines += [f"Of each agent: {of_each}. Every figure: [result.json](result.json).", ""]
    return "\n".join(lines)


def _pictures(folder: RunFolder) -> list[str]:
    lines = []
    if folder.learning_curve.exists():
        lines += [f"![learning curve]({folder.learning_curve.name})", ""]
    if folder.video.exists():
        lines += [f"Video of the policy: [{folder.video.name}]({folder.video.name})", ""]
    return lines


def report(result: dict[str, Any], folder: RunFolder) -> str:
    lines = [
        f"# {_title(result)}",
        "",
        "| | |",
        "|---|---:|",
        *(f"| {name} | {value} |" for name, value in _rows(result)),
        "",
    ]
    lines += [
        *_pictures(folder),
        "Everything that was set: [config.yaml](config.yaml). Every figure: "
        "[result.json](result.json). Every episode: episodes.csv. Every transition: transitions/. "
        "Curves: `tensorboard --logdir tensorboard`.",
        "",
    ]
    return "\n".join(lines)
