"""`serl train`."""

import sys
from pathlib import Path

from rich.console import Console

from serl_bringup.commands.arguments import add_robot, add_view, at_least
from serl_learner.config import ConfigError


def add(commands) -> None:
    p = commands.add_parser("train", help="train a task over ROS 2 nodes, with a live view")
    p.add_argument("task", nargs="?", metavar="TASK",
                   help="a task's name, or its YAML file; TASK/AGENT trains one of several agents"
                   " alone, in an environment that resets itself")  # fmt: skip
    p.add_argument(
        "--env", default="", metavar="ID", help="any Gymnasium environment, package:Id-v0"
    )
    p.add_argument("--observations", choices=("state", "vision"), help="what the policy sees")
    p.add_argument("--algorithm", choices=("rlpd", "bc"), help="default: rlpd")
    p.add_argument("--demos", metavar="FILE|N",
                   help="an MCAP file, or how many to record by script (default 20);"
                   " of several agents a folder with AGENT.mcap, or how many each")  # fmt: skip
    p.add_argument("--seed", type=at_least(0), help="default: 0")
    p.add_argument(
        "--max-steps", type=at_least(1), metavar="N", help="environment steps to train for"
    )
    p.add_argument(
        "--real-time", action="store_true", help="act at the robot's rate, not as fast as possible"
    )
    add_robot(p)
    p.add_argument("--intervene", metavar="DEVICE",
                   help="who may take over from the policy: spacemouse, gamepad, keyboard, twist,"
                   " which a person holds (with --real-time); or scripted, the task's demonstrator,"
                   " late and for a short while")  # fmt: skip
    p.add_argument("--run-dir", type=Path, metavar="DIR", help="default: runs/TASK/<date-time>")
    p.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    p.add_argument(
        "--prepare", action="store_true", help="only make the run folder; --resume then trains"
    )
    p.add_argument(
        "--machine",
        choices=("robot", "learner"),
        help="which nodes of a run on two machines this one runs, with --resume: the learner, or"
        " all others",
    )
    p.add_argument(
        "--evaluate",
        type=at_least(0),
        default=100,
        metavar="N",
        help="episodes at the end (default 100)",
    )
    p.add_argument(
        "--learners",
        choices=("apart", "together"),
        default="apart",
        help="of several agents: a process each (default), or one for all",
    )
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the task file; agents.AGENT.KEY is for one of several agents",
    )
    add_view(p)
    p.set_defaults(command=_train)


def _train(arguments) -> int:
    from serl_bringup.session import NodeError
    from serl_bringup.task_sections import parse_setting
    from serl_bringup.train import TrainOptions, train

    if not (arguments.task or arguments.env or arguments.resume):
        raise ConfigError("train: expected a TASK, or --env with a Gymnasium environment")
    if arguments.resume:
        _refuse_with_resume(arguments)
    elif arguments.machine:
        raise ConfigError("--machine: expected --resume, in a copy of a folder of --prepare")
    overrides = dict(parse_setting(text) for text in arguments.set)
    if arguments.max_steps is not None:
        overrides["actor.max_steps"] = arguments.max_steps
    if arguments.intervene is not None:
        overrides["intervention.device"] = arguments.intervene
    options = TrainOptions(
        task=arguments.task,
        environment_id=arguments.env,
        observations=arguments.observations,
        overrides=overrides,
        seed=arguments.seed or 0,
        run_directory=arguments.run_dir,
        resume=arguments.resume,
        demonstrations=arguments.demos or "20",
        algorithm=arguments.algorithm or "rlpd",
        real_time=arguments.real_time,
        prepare=arguments.prepare,
        together=arguments.learners == "together",
        view=arguments.view,
        robot=arguments.robot,
        machine=arguments.machine,
        evaluation_episodes=arguments.evaluate,
    )
    try:
        train(options, Console())
    except NodeError as error:
        print(f"serl: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _refuse_with_resume(arguments) -> None:
    """A run that goes on keeps what it was started with."""
    given = (
        "task",
        "env",
        "observations",
        "robot",
        "algorithm",
        "demos",
        "seed",
        "real_time",
        "prepare",
    )
    for name in given:
        value = getattr(arguments, name)
        if value is not None and value is not False and value != "":
            raise ConfigError(f"--resume: expected no {name}, which the run has already")
