"""The `serl` command."""

import argparse
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from serl_learner.config import ConfigError

# Each command imports what it needs when it runs: `serl --help` answers at once.


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _at_least(minimum: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"expected at least {minimum}, got {value}")
        return value

    return integer


def _file(suffix: str) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        if not text.endswith(suffix):
            raise argparse.ArgumentTypeError(f"expected a name ending in {suffix}, got {text}")
        return Path(text)

    return path


def _tell_thread_error(error: threading.ExceptHookArgs) -> None:
    """TensorBoard's thread meets a full disk and raises it again at the next write, told there."""
    if not issubclass(error.exc_type, OSError):
        threading.__excepthook__(error)


def main() -> None:
    threading.excepthook = _tell_thread_error
    arguments = _parser().parse_args()
    try:
        code = arguments.command(arguments)
    except ConfigError as error:
        print(f"serl: {error}", file=sys.stderr)
        code = 2
    except OSError as error:  # a full or vanished disk, wherever it is met
        text = f"{error.filename or 'disk'}: {error.strerror}" if error.strerror else str(error)
        print(f"serl: {text}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="serl",
        description="Trains a robot arm on a real task, from demonstrations, in minutes.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_demos(commands)
    _add_encoder(commands)
    _add_plot(commands)
    _add_benchmark(commands)
    doctor = commands.add_parser("doctor", help="check this machine, and say what to do")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_train(commands) -> None:
    p = commands.add_parser("train", help="train a task over ROS 2 nodes, with a live view")
    p.add_argument("task", nargs="?", metavar="TASK", help="a task's name, or its YAML file")
    p.add_argument(
        "--env", default="", metavar="ID", help="any Gymnasium environment, package:Id-v0"
    )
    p.add_argument("--observations", choices=("state", "vision"), help="what the policy sees")
    p.add_argument("--algorithm", choices=("rlpd", "bc"), help="default: rlpd")
    p.add_argument("--demos", metavar="FILE|N",
                   help="an MCAP file, or how many to record by script (default 20)")  # fmt: skip
    p.add_argument("--seed", type=_at_least(0), help="default: 0")
    p.add_argument(
        "--max-steps", type=_at_least(1), metavar="N", help="environment steps to train for"
    )
    p.add_argument(
        "--real-time", action="store_true", help="act at the robot's rate, not as fast as possible"
    )
    p.add_argument("--run-dir", type=Path, metavar="DIR", help="default: runs/TASK/<date-time>")
    p.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    p.add_argument(
        "--evaluate",
        type=_at_least(0),
        default=100,
        metavar="N",
        help="episodes at the end (default 100)",
    )
    p.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the task file"
    )
    p.set_defaults(command=_train)


def _train(arguments) -> int:
    from serl_bringup.session import NodeError
    from serl_bringup.task import parse_setting
    from serl_bringup.train import TrainOptions, train

    if not (arguments.task or arguments.env or arguments.resume):
        raise ConfigError("train: expected a TASK, or --env with a Gymnasium environment")
    if arguments.resume:
        _refuse_with_resume(arguments)
    overrides = dict(parse_setting(text) for text in arguments.set)
    if arguments.max_steps is not None:
        overrides["actor.max_steps"] = arguments.max_steps
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
    for name in ("task", "env", "observations", "algorithm", "demos", "seed", "real_time"):
        value = getattr(arguments, name)
        if value is not None and value is not False and value != "":
            raise ConfigError(f"--resume: expected no {name}, which the run has already")


def _add_evaluate(commands) -> None:
    p = commands.add_parser("evaluate", help="run a trained policy, without exploration")
    p.add_argument("run", type=Path, metavar="RUN_DIR")
    p.add_argument("--episodes", type=_at_least(1), default=100)
    p.add_argument("--seed", type=_at_least(0), default=10_000)
    p.add_argument("--video", type=_file(".mp4"), metavar="FILE", help="film up to five episodes")
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

    folder = RunFolder.open(arguments.run)
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


def _add_demos(commands) -> None:
    demos = commands.add_parser("demos", help="record demonstrations, or look into a file of them")
    actions = demos.add_subparsers(required=True, metavar="ACTION")
    p = actions.add_parser("record", help="record successful episodes of the scripted demonstrator")
    p.add_argument("task", metavar="TASK")
    p.add_argument("--episodes", type=_at_least(1), default=20)
    p.add_argument("--observations", choices=("state", "vision"))
    p.add_argument("--seed", type=_at_least(0), default=0)
    p.add_argument("--output", type=_file(".mcap"), metavar="FILE", help="default: demos/TASK.mcap")
    p.set_defaults(command=_demos_record)
    p = actions.add_parser("info", help="what is in a file: episodes, lengths, actions")
    p.add_argument("file", type=Path, metavar="FILE")
    p.set_defaults(command=_demos_info)


def _demos_record(arguments) -> int:
    from serl_bringup.demonstrations import record_file, show_file
    from serl_bringup.task import load_task

    task = load_task(arguments.task, observations=arguments.observations)
    path = arguments.output or Path("demos", f"{task.task}.mcap")
    record_file(task, arguments.episodes, arguments.seed, path, Console())
    show_file(path, Console())
    return 0


def _demos_info(arguments) -> int:
    from serl_bringup.demonstrations import show_file

    show_file(arguments.file, Console())
    return 0


def _add_encoder(commands) -> None:
    encoder = commands.add_parser("encoder", help="weights of the frozen backbone")
    actions = encoder.add_subparsers(required=True, metavar="ACTION")
    p = actions.add_parser("convert", help="SERL's published weights of ResNet-10, once")
    p.add_argument("source", type=_file(".pkl"), metavar="SOURCE.pkl")
    p.add_argument("output", type=_file(".safetensors"), metavar="OUTPUT.safetensors")
    p.set_defaults(command=_encoder_convert)
    p = actions.add_parser("pretrain", help="train a backbone on the task's own images")
    p.add_argument("task", metavar="TASK")
    p.add_argument("output", type=_file(".safetensors"), metavar="OUTPUT.safetensors")
    p.add_argument("--steps", type=_at_least(100), default=2500, help="environment steps to see")
    p.add_argument("--seed", type=_at_least(0), default=0)
    p.set_defaults(command=_encoder_pretrain)


def _encoder_convert(arguments) -> int:
    from serl_bringup.encoder import convert

    convert(arguments.source, arguments.output, Console())
    return 0


def _encoder_pretrain(arguments) -> int:
    from serl_bringup.encoder import pretrain_file
    from serl_bringup.task import load_task

    task = load_task(arguments.task, observations="vision")
    pretrain_file(task, arguments.steps, arguments.output, arguments.seed, Console())
    return 0


def _add_plot(commands) -> None:
    p = commands.add_parser(
        "plot",
        help="learning curves of runs, or the controller's commands and motion, as a PNG",
        usage="%(prog)s RUN_DIR... | controller [RECORDING.mcap]  [options]",
    )
    p.add_argument(
        "what",
        nargs="+",
        metavar="RUN_DIR...",
        help="runs; or `controller` and a recording of controller_state, else a simulated one",
    )
    p.add_argument(
        "--output", type=_file(".png"), metavar="FILE",
        help="default: learning_curve.png, controller.png",
    )  # fmt: skip
    p.add_argument("--axis", choices=("x", "y", "z"), help="controller: of the base; default: z")
    p.add_argument(
        "--gains", metavar="SET", help="controller: gains that it ran with; default: pcb_insertion"
    )
    p.set_defaults(command=_plot)


def _plot(arguments) -> int:
    if arguments.what[0] == "controller":
        return _plot_controller(arguments)

    from serl_bringup.plot import plot_learning_curves
    from serl_bringup.run_folder import RunFolder

    for name in ("axis", "gains"):
        if getattr(arguments, name):
            raise ConfigError(f"--{name}: expected `serl plot controller`, got runs")
    output = arguments.output or Path("learning_curve.png")
    plot_learning_curves([RunFolder.open(Path(run)) for run in arguments.what], output)
    print(output)
    return 0


def _plot_controller(arguments) -> int:
    from franka_impedance_controller import Gains
    from serl_bringup.controller_recording import read_recording, record_simulation
    from serl_bringup.plot_controller import plot_recording
    from serl_bringup.task import load_gains

    recordings = [Path(name) for name in arguments.what[1:]]
    if len(recordings) > 1:
        raise ConfigError(f"plot controller: expected one recording, got {len(recordings)}")
    gains = Gains(**load_gains(arguments.gains or "pcb_insertion"))
    axis, output = arguments.axis or "z", arguments.output or Path("controller.png")
    recording = recordings[0] if recordings else output.with_suffix(".mcap")
    if not recordings:
        record_simulation(recording, gains, axis)
        print(recording)
    plot_recording(read_recording(recording), gains, axis, output)
    print(output)
    return 0


def _add_benchmark(commands) -> None:
    names = ("actor", "contact", "controller", "learner", "replay", "simulation", "transport")
    p = commands.add_parser("benchmark", help="measure a part on this machine; prints JSON")
    p.add_argument("part", choices=names)
    p.add_argument(
        "--histogram", type=_file(".png"), metavar="FILE", help="controller: draw its ticks' times"
    )
    p.add_argument(
        "--observations", choices=("state", "vision"), help="actor, learner: what the policy sees"
    )
    p.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="learner from vision: default cpu"
    )
    p.add_argument("--gains", metavar="SET", help="contact: default pcb_insertion")
    p.add_argument("--plot", type=_file(".png"), metavar="FILE", help="contact: draw the impacts")
    p.set_defaults(command=_benchmark)


def _benchmark(arguments) -> int:
    from serl_bringup.benchmark import run

    options = {}
    parts = {
        "histogram": ("controller",),
        "gains": ("contact",),
        "plot": ("contact",),
        "observations": ("actor", "learner"),
        "device": ("learner",),
    }
    for name, fitting in parts.items():
        if (value := getattr(arguments, name)) is not None:
            if arguments.part not in fitting:
                expected = " or ".join(fitting)
                raise ConfigError(f"--{name}: expected the part {expected}, got {arguments.part}")
            options[name] = value
    run(arguments.part, **options)
    return 0


def _doctor(_) -> int:
    from serl_bringup.doctor import run

    return run()
