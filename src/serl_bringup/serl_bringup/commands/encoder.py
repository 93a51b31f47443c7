"""`serl encoder`."""

from rich.console import Console

from serl_bringup.commands.arguments import at_least, file_ending


def add(commands) -> None:
    encoder = commands.add_parser("encoder", help="weights of the frozen backbone")
    actions = encoder.add_subparsers(required=True, metavar="ACTION")
    p = actions.add_parser("convert", help="SERL's published weights of ResNet-10, once")
    p.add_argument("source", type=file_ending(".pkl"), metavar="SOURCE.pkl")
    p.add_argument("output", type=file_ending(".safetensors"), metavar="OUTPUT.safetensors")
    p.set_defaults(command=_encoder_convert)
    p = actions.add_parser("pretrain", help="train a backbone on the task's own images")
    p.add_argument("task", metavar="TASK")
    p.add_argument("output", type=file_ending(".safetensors"), metavar="OUTPUT.safetensors")
    p.add_argument(
        "--steps", type=at_least(100), default=2500, help="environment steps to see, of all agents"
    )
    p.add_argument("--seed", type=at_least(0), default=0)
    p.set_defaults(command=_encoder_pretrain)


def _encoder_convert(arguments) -> int:
    from serl_bringup.encoder import convert

    convert(arguments.source, arguments.output, Console())
    return 0


def _encoder_pretrain(arguments) -> int:
    from serl_bringup.encoder import pretrain_file
    from serl_bringup.task import load_tasks

    tasks = list(load_tasks(arguments.task, observations="vision").values())
    pretrain_file(tasks, arguments.steps, arguments.output, arguments.seed, Console())
    return 0
