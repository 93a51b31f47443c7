"""`serl evaluate`."""

import json
from pathlib import Path

from rich.console import Console

from serl_bringup.commands.arguments import at_least, file_ending
from serl_learner.config import ConfigError


def add(commands) -> None:
    p = commands.add_parser("evaluate", help="run a trained policy, without exploration")
    p.add_argument("run", type=Path, metavar="RUN_DIR")
    p.add_argument("--episodes", type=at_least(1), default=100)
    p.add_argument("--seed", type=at_least(0), default=10_000)
    p.add_argument(
        "--video",
        type=file_ending(".mp4"),
        metavar="FILE",
        help="film five episodes at most, or six turns",
    )
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="gains, or a key of environment, other than in training",
    )
    p.set_defaults(command=_evaluate)


def _evaluate(arguments) -> int:
    from serl_bringup import assessment
    from serl_bringup.run_folder import RunFolder
    from serl_bringup.task_sections import parse_setting

    folder = RunFolder.open(arguments.run)
    overrides = dict(parse_setting(text) for text in arguments.set)
    for key in overrides:
        if key != "gains" and not key.startswith("environment."):
            raise ConfigError(f"--set {key}: expected gains or a key of environment")
    agents = assessment.open_agents(folder, overrides)
    told = Console(stderr=True)
    evaluations = assessment.assess(agents, arguments.episodes, arguments.seed, told)
    results = {
        name: agents[name].folder.read_result() | assessment.figures(evaluation)
        for name, evaluation in evaluations.items()
    }
    is_team = len(agents) > 1
    result = folder.read_result() | (
        assessment.together(results) if is_team else next(iter(results.values()))
    )
    result["evaluation_seed"] = arguments.seed
    if arguments.set:
        result["evaluation_set"] = arguments.set
    text = json.dumps(result, indent=2)
    folder.evaluation.write_text(text + "\n")
    print(text)
    if arguments.video:
        assessment.film(agents, arguments.video, arguments.seed, told)
    return 0
