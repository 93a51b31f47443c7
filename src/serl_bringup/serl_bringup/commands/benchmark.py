"""`serl benchmark`."""

from serl_bringup.commands.arguments import file_ending
from serl_learner.config import ConfigError


def add(commands) -> None:
    names = (
        "actor",
        "contact",
        "controller",
        "durability",
        "learner",
        "replay",
        "reward",
        "robot",
        "simulation",
        "soak",
        "transport",
    )
    p = commands.add_parser("benchmark", help="measure a part on this machine; prints JSON")
    p.add_argument("part", choices=names)
    p.add_argument(
        "--histogram",
        type=file_ending(".png"),
        metavar="FILE",
        help="controller: draw its ticks' times",
    )
    p.add_argument(
        "--observations",
        choices=("state", "vision"),
        help="actor, durability, learner, robot: what the policy sees",
    )
    p.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="learner from vision: default cpu"
    )
    p.add_argument("--gains", metavar="SET", help="contact: default pcb_insertion")
    p.add_argument(
        "--plot", type=file_ending(".png"), metavar="FILE", help="contact, soak: draw the figures"
    )
    p.add_argument("--minutes", type=float, metavar="N", help="soak: default 60")
    p.add_argument(
        "--machine",
        choices=("robot", "learner"),
        help="transport between two machines: robot sends 200 transitions, learner counts them",
    )
    p.set_defaults(command=_benchmark)


def _benchmark(arguments) -> int:
    from serl_bringup.benchmark import run

    options = {}
    parts = {
        "histogram": ("controller",),
        "gains": ("contact",),
        "plot": ("contact", "soak"),
        "minutes": ("soak",),
        "observations": ("actor", "durability", "learner", "robot"),
        "device": ("learner",),
        "machine": ("transport",),
    }
    for name, fitting in parts.items():
        if (value := getattr(arguments, name)) is not None:
            if arguments.part not in fitting:
                expected = " or ".join(fitting)
                raise ConfigError(f"--{name}: expected the part {expected}, got {arguments.part}")
            options[name] = value
    run(arguments.part, **options)
    return 0
