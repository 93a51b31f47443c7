"""`serl reward`: a classifier of success from images, its data, and what it is worth."""

import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from serl_bringup.commands.arguments import add_robot, at_least, file_ending
from serl_bringup.commands.demos import add_device
from serl_learner.config import ConfigError


def add(commands) -> None:
    reward = commands.add_parser("reward", help="a classifier that sees in images what success is")
    actions = reward.add_subparsers(required=True, metavar="ACTION")
    _add_collect(actions)
    _add_train(actions)
    _add_check(actions)


def _add_collect(actions) -> None:
    p = actions.add_parser("collect", help="labelled frames, in and around success")
    p.add_argument("task", metavar="TASK", help="of several agents, TASK/AGENT")
    p.add_argument("--positives", type=at_least(0), metavar="N",
                   help="default: 200; 0 with --policy")  # fmt: skip
    p.add_argument("--negatives", type=at_least(0), default=1000, metavar="N", help="default: 1000")
    p.add_argument("--output", type=file_ending(".mcap"), metavar="FILE",
                   help="default: rewards/TASK.mcap")  # fmt: skip
    p.add_argument("--seed", type=at_least(0), default=0)
    p.add_argument("--label", choices=("script", "key"),
                   help="success is what the environment says (default), or SPACE")  # fmt: skip
    add_device(p)
    add_robot(p)
    p.add_argument("--policy", type=Path, metavar="RUN_DIR",
                   help="of what that run's policy does, where it deceives its reward")  # fmt: skip
    p.add_argument("--from", dest="recordings", action="extend", nargs="+", type=Path, default=[],
                   metavar="FILE.mcap", help="frames of existing recordings instead")  # fmt: skip
    p.set_defaults(command=_collect)


def _collect(arguments) -> int:
    from serl_bringup.reward_data import collect_file, extract_file
    from serl_bringup.task import load_task

    task = load_task(arguments.task, observations="vision", robot=arguments.robot)
    path = arguments.output or Path("rewards", f"{task.task}.mcap")
    positives = arguments.positives
    if positives is None:
        positives = 0 if arguments.policy else 200
    wanted = positives, arguments.negatives
    if not any(wanted):
        raise ConfigError("--positives, --negatives: expected frames of one at least, got none")
    if arguments.recordings:
        for name in ("label", "policy"):
            if getattr(arguments, name):
                raise ConfigError(f"--{name}: expected no --from, whose recordings are as they are")
        extract_file(task, arguments.recordings, *wanted, path, Console())
    else:
        policy = None
        if arguments.policy:
            task, policy = _trained(arguments.policy, task)
        by_key = arguments.label == "key"
        who = by_key, policy, Console(), arguments.device
        collect_file(task, *wanted, arguments.seed, path, *who)
    return 0


def _trained(run: Path, task):
    """The task with what the run's policy observes, and that policy."""
    from serl_bringup.assessment import open_agents
    from serl_bringup.run_folder import RunFolder

    (trained,) = open_agents(RunFolder.open_agent(run), {}).values()
    own = trained.task
    if own.task != task.task:
        raise ConfigError(f"--policy {run}: expected a run of {task.task}, got one of {own.task}")
    environment = replace(task.environment, locator=own.environment.locator)
    return replace(task, environment=environment), trained.policy()


def _add_train(actions) -> None:
    p = actions.add_parser("train", help="the classifier, judged by episodes that it has not seen")
    p.add_argument("task", metavar="TASK", help="of several agents, TASK/AGENT")
    p.add_argument("recordings", nargs="+", type=Path, metavar="DATA.mcap",
                   help="of `collect`, demonstrations, or a run's transitions")  # fmt: skip
    p.add_argument("--positives", type=at_least(1), default=1000, metavar="N",
                   help="frames at most, evenly over episodes (default 1000)")  # fmt: skip
    p.add_argument("--negatives", type=at_least(1), default=1000, metavar="N",
                   help="likewise (default 1000)")  # fmt: skip
    p.add_argument("--output", type=file_ending(".safetensors"), metavar="FILE",
                   help="default: rewards/TASK.safetensors; its picture is beside it")  # fmt: skip
    p.add_argument("--seed", type=at_least(0), default=0)
    p.add_argument("--steps", type=at_least(1), help="of training")
    p.add_argument("--frozen", action="store_true",
                   help="train the head alone, on the backbone of the task's section encoder,"
                   " whose weights may know more (default: a backbone is trained too)")  # fmt: skip
    p.set_defaults(command=_train)


def _train(arguments) -> int:
    from serl_bringup.reward_training import train_file
    from serl_bringup.task import load_task
    from serl_reward.classifier_training import ClassifierConfig, trained_encoder

    task = load_task(arguments.task, observations="vision")
    encoder = task.encoder if arguments.frozen else trained_encoder(task.encoder)
    config = ClassifierConfig(steps=arguments.steps) if arguments.steps else ClassifierConfig()
    path = arguments.output or Path("rewards", f"{task.task}.safetensors")
    wanted = arguments.positives, arguments.negatives
    data = task.task, arguments.recordings, *wanted
    train_file(*data, encoder, config, arguments.seed, path, Console())
    return 0


def _add_check(actions) -> None:
    p = actions.add_parser("check", help="a video of the classifier's judgement; prints JSON")
    p.add_argument("model", type=file_ending(".safetensors"), metavar="MODEL.safetensors")
    p.add_argument("recording", type=file_ending(".mcap", ".mp4"), metavar="RECORDING",
                   help=".mcap; or .mp4, for a classifier of one camera")  # fmt: skip
    p.add_argument("--output", type=file_ending(".mp4"), metavar="FILE",
                   help="default: RECORDING_judged.mp4")  # fmt: skip
    p.set_defaults(command=_check)


def _check(arguments) -> int:
    from serl_bringup.reward_check import check_file

    recording = arguments.recording
    output = arguments.output or recording.with_name(f"{recording.stem}_judged.mp4")
    print(json.dumps(check_file(arguments.model, recording, output), indent=2))
    return 0
