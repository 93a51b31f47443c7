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
        "--video", type=file_ending(".mp4"), metavar="FILE", help="film up to five episodes"
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
    from serl_bringup import conclude, video
    from serl_bringup.run_folder import RunFolder
    from serl_bringup.task import load_task, parse_setting

    folder = RunFolder.open_agent(arguments.run)
    overrides = dict(parse_setting(text) for text in arguments.set)
    for key in overrides:
        if key != "gains" and not key.startswith("environment."):
            raise ConfigError(f"--set {key}: expected gains or a key of environment")
    task = load_task(str(folder.config), overrides=overrides)
    result = folder.read_result()
    policy = conclude.load_policy(folder.latest_policy())
    judged = conclude.judged_environment(task, folder)
    evaluation = conclude.evaluate_policy(task, policy, arguments.episodes, arguments.seed, judged)
    figures = result | conclude.evaluation_figures(evaluation)
    figures["evaluation_seed"] = arguments.seed
    if arguments.set:
        figures["evaluation_set"] = arguments.set
    (folder.path / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    if arguments.video:
        console = Console(stderr=True)
        video.record_video(task, policy, arguments.video, arguments.seed, console, judged)
    return 0
