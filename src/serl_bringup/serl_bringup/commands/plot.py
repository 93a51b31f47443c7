"""`serl plot`."""

from pathlib import Path

from serl_bringup.commands.arguments import file_ending
from serl_learner.config import ConfigError


def add(commands) -> None:
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
        "--output", type=file_ending(".png"), metavar="FILE",
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
    plot_learning_curves([RunFolder.open_agent(Path(run)) for run in arguments.what], output)
    print(output)
    return 0


def _plot_controller(arguments) -> int:
    from franka_impedance_controller import Gains
    from serl_bringup.controller_recording import read_recording, record_simulation
    from serl_bringup.plot_controller import plot_recording
    from serl_bringup.task_sections import load_gains

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
