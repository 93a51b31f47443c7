"""`serl demos`."""

from pathlib import Path

from rich.console import Console

from serl_bringup.commands.arguments import add_robot, add_view, at_least, file_ending
from serl_learner.config import ConfigError


def add(commands) -> None:
    demos = commands.add_parser("demos", help="record demonstrations, or look into a file of them")
    actions = demos.add_subparsers(required=True, metavar="ACTION")
    p = actions.add_parser("record", help="record successful episodes")
    p.add_argument("task", metavar="TASK", help="of several agents, TASK/AGENT")
    p.add_argument("--episodes", type=at_least(1), default=20)
    add_device(p)
    add_robot(p)
    p.add_argument("--observations", choices=("state", "vision"))
    p.add_argument("--seed", type=at_least(0), default=0)
    p.add_argument(
        "--output", type=file_ending(".mcap"), metavar="FILE", help="default: demos/TASK.mcap"
    )
    add_view(p)
    p.set_defaults(command=_demos_record)
    p = actions.add_parser("info", help="what is in a file: episodes, lengths, actions")
    p.add_argument("file", type=Path, metavar="FILE")
    p.add_argument("--pictures", type=file_ending(".png"), metavar="PNG",
                   help="also frames of each episode's cameras, from first to last")  # fmt: skip
    p.set_defaults(command=_demos_info)
    p = actions.add_parser("filter", help="a new file with some of a file's successful episodes")
    p.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="demonstrations, a run's transitions, or the .part of a killed recording",
    )
    p.add_argument("output", type=file_ending(".mcap"), metavar="OUTPUT")
    p.add_argument("--drop", type=at_least(0), nargs="+", default=[], metavar="N",
                   help="episodes to leave out, counted from 0")  # fmt: skip
    p.add_argument("--longest", type=at_least(1), metavar="STEPS", help="leave out longer ones")
    p.set_defaults(command=_demos_filter)
    p = actions.add_parser("replay", help="do again, with the arm, what a recording shows")
    p.add_argument("task", metavar="TASK", help="of several agents, TASK/AGENT")
    p.add_argument("file", type=Path, metavar="FILE", help="of `serl demos record`")
    p.add_argument("--episode", type=at_least(0), default=0, metavar="N", help="counted from 0")
    p.add_argument("--observations", choices=("state", "vision"))
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="a key of the task's file, for example environment.id")  # fmt: skip
    add_robot(p)
    p.add_argument("--video", type=file_ending(".mp4"), metavar="FILE", help="film it")
    add_view(p)
    p.add_argument("--yes", action="store_true", help="do not ask before the arm moves")
    p.set_defaults(command=_demos_replay)
    p = actions.add_parser("export", help="a file's finished episodes as a LeRobot dataset")
    p.add_argument("file", type=Path, metavar="FILE")
    p.add_argument("folder", type=Path, metavar="FOLDER")
    p.add_argument("--fps", type=at_least(1), default=10, help="steps in a second (default: 10)")
    p.set_defaults(command=_demos_export)
    p = actions.add_parser("import", help="a LeRobot dataset, v3.0, as demonstrations of a task")
    p.add_argument("task", metavar="TASK", help="of several agents, TASK/AGENT")
    p.add_argument("folder", type=Path, metavar="FOLDER")
    p.add_argument("output", type=file_ending(".mcap"), metavar="OUTPUT")
    p.add_argument("--observations", choices=("state", "vision"))
    p.set_defaults(command=_demos_import)


def add_device(parser) -> None:
    parser.add_argument("--device", default="scripted",
                        help="who shows it: scripted, the task's demonstrator (default); or a"
                        " person at a spacemouse, gamepad, keyboard, twist")  # fmt: skip


def _demos_record(arguments) -> int:
    from serl_bringup.demonstrations import record_file, show_file
    from serl_bringup.task import load_task

    task = load_task(arguments.task, observations=arguments.observations, robot=arguments.robot)
    path = arguments.output or Path("demos", f"{task.task}.mcap")
    recorded = arguments.episodes, arguments.seed, path, Console(), arguments.device
    record_file(task, *recorded, arguments.view, base_pose=True)
    show_file(path, Console())
    return 0


def _demos_info(arguments) -> int:
    from serl_bringup.demonstrations import show_file
    from serl_bringup.episodes import picture_file

    show_file(arguments.file, Console())
    if arguments.pictures:
        picture_file(arguments.file, arguments.pictures)
    return 0


def _demos_filter(arguments) -> int:
    from serl_bringup.demonstrations import show_file
    from serl_bringup.episodes import filter_file

    drop, longest = set(arguments.drop), arguments.longest
    filter_file(arguments.file, arguments.output, drop, longest, Console())
    show_file(arguments.output, Console())
    return 0


def _demos_replay(arguments) -> int:
    from serl_bringup.replaying import replay_file
    from serl_bringup.task import load_task
    from serl_bringup.task_sections import parse_setting

    overrides = dict(parse_setting(text) for text in arguments.set)
    chosen = {"observations": arguments.observations, "robot": arguments.robot}
    task = load_task(arguments.task, overrides=overrides, **chosen)

    def confirm(question: str) -> bool:
        try:
            return arguments.yes or input(f"{question} [y/N] ").lower() in ("y", "yes")
        except EOFError:
            raise ConfigError("replay: expected an answer, or --yes") from None

    what = arguments.file, arguments.episode, confirm, arguments.video, arguments.view
    replayed = replay_file(task, *what, Console())
    return 0 if replayed else 1


def _demos_export(arguments) -> int:
    from serl_bringup.lerobot_export import export_file

    export_file(arguments.file, arguments.folder, arguments.fps, Console())
    return 0


def _demos_import(arguments) -> int:
    from serl_bringup.demonstrations import show_file
    from serl_bringup.lerobot_import import import_file
    from serl_bringup.task import load_task

    task = load_task(arguments.task, observations=arguments.observations)
    import_file(arguments.folder, task, arguments.output)
    show_file(arguments.output, Console())
    return 0
