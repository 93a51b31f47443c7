"""`serl locator`: what tells from images where the thing to take is."""

from pathlib import Path

from rich.console import Console

from serl_bringup.commands.arguments import add_robot, add_view, at_least, file_ending
from serl_bringup.commands.demos import add_device


def add(commands) -> None:
    locator = commands.add_parser("locator", help="sees in images where the thing to take is")
    actions = locator.add_subparsers(required=True, metavar="ACTION")
    p = actions.add_parser("collect", help="demonstrations from all over the workspace")
    p.add_argument("task", metavar="TASK", help="of several agents, TASK/AGENT")
    p.add_argument("--episodes", type=at_least(1), default=20)
    add_device(p)
    add_robot(p)
    add_view(p)
    p.add_argument("--output", type=file_ending(".mcap"), metavar="FILE",
                   help="default: locators/TASK.mcap")  # fmt: skip
    p.add_argument("--seed", type=at_least(0), default=0)
    p.set_defaults(command=_collect)
    p = actions.add_parser("train", help="the locator, judged by episodes that it has not seen")
    p.add_argument("task", metavar="TASK", help="of several agents, the one name of all")
    p.add_argument("recordings", nargs="+", type=Path, metavar="DATA.mcap", help="of `collect`")
    p.add_argument("--output", type=file_ending(".safetensors"), metavar="FILE",
                   help="default: locators/TASK.safetensors")  # fmt: skip
    p.add_argument("--seed", type=at_least(0), default=0)
    p.set_defaults(command=_train)


def _collect(arguments) -> int:
    from serl_bringup.locating import collect_file
    from serl_bringup.task import load_task

    task = load_task(arguments.task, observations="vision", robot=arguments.robot)
    path = arguments.output or Path("locators", f"{task.task}.mcap")
    device, seed = arguments.device, arguments.seed
    collect_file(task, arguments.episodes, seed, path, device, Console(), arguments.view)
    return 0


def _train(arguments) -> int:
    from serl_bringup.locating import train_file
    from serl_bringup.task import load_tasks

    tasks = load_tasks(arguments.task, observations="vision").values()
    names = [task.task for task in tasks]
    title = names[0].rpartition("/")[0] if len(names) > 1 else names[0]
    path = arguments.output or Path("locators", f"{title}.safetensors")
    train_file(names, arguments.recordings, arguments.seed, path, Console())
    return 0
