"""`serl report`."""

from pathlib import Path

from serl_bringup.commands.arguments import at_least


def add(commands) -> None:
    p = commands.add_parser(
        "report",
        help="compare RL with cloning, over tasks and seeds, in a picture and a table",
        usage="%(prog)s RUN_DIR... | --tasks TASK...  [options]",
    )
    p.add_argument("runs", nargs="*", type=Path, metavar="RUN_DIR", help="evaluated runs")
    p.add_argument("--tasks", nargs="+", default=[], metavar="TASK",
                   help="trained both ways where the output folder lacks it")  # fmt: skip
    p.add_argument("--seeds", nargs="+", type=at_least(0), metavar="N",
                   help="of --tasks; default: 0 1 2")  # fmt: skip
    p.add_argument("--clone-demos", type=at_least(1), default=100, metavar="N",
                   help="demonstrations that cloning has, default 100")  # fmt: skip
    p.add_argument("--output", type=Path, default=Path("comparison"), metavar="DIR",
                   help="default: comparison")  # fmt: skip
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="of --tasks: as in `serl train`")  # fmt: skip
    p.add_argument("--observations", choices=("state", "vision"), help="of --tasks")
    p.set_defaults(command=_report)


def _report(arguments) -> int:
    from serl_bringup.comparison import collect, groups, page
    from serl_bringup.comparison_runs import Wanted, train_missing
    from serl_bringup.plot_comparison import plot_comparison
    from serl_bringup.run_folder import RunFolder
    from serl_learner.config import ConfigError

    if not (arguments.runs or arguments.tasks):
        raise ConfigError("report: expected RUN_DIR..., or --tasks")
    for name in ("seeds", "set", "observations"):
        if getattr(arguments, name) and not arguments.tasks:
            raise ConfigError(f"--{name}: expected with --tasks alone, got it with run folders")
    runs = [RunFolder.open(path) for path in arguments.runs]
    seeds = sorted(set(arguments.seeds or (0, 1, 2)))
    choices = arguments.clone_demos, arguments.observations, arguments.set
    runs += train_missing(Wanted(arguments.tasks, seeds, *choices), arguments.output)
    tasks = groups(collect(runs))
    arguments.output.mkdir(parents=True, exist_ok=True)
    picture = arguments.output / "comparison.png"
    plot_comparison(tasks, picture)
    text = page(tasks, picture)
    (arguments.output / "comparison.md").write_text(text)
    print(text)
    print(picture)
    return 0
