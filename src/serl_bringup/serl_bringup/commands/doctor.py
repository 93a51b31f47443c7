"""`serl doctor`."""

from serl_learner.config import expect


def add(commands) -> None:
    p = commands.add_parser("doctor", help="check this machine, and say what to do")
    p.add_argument("--robot", metavar="ROBOT",
                   help="check what a robot needs too, and whether it answers: sim_node, or one of"
                   " config/robots; it is not started")  # fmt: skip
    p.add_argument("--task", metavar="TASK", help="with --robot: the cameras of this task too")
    p.add_argument("--robot-ip", metavar="ADDRESS", help="with --robot: the way to its control box")
    p.set_defaults(command=_doctor)


def _doctor(arguments) -> int:
    from serl_bringup.doctor import Setup, run

    robot, task, address = arguments.robot, arguments.task, arguments.robot_ip
    if robot is None:
        expect(task is None and address is None, "--task, --robot-ip", "--robot as well", "none")
        return run()
    from serl_bringup.config_files import SIMULATED
    from serl_bringup.task import load_tasks
    from serl_bringup.task_sections import known_robots

    known = known_robots()
    expect(robot in known, "--robot", f"one of {', '.join(known)}", f"'{robot}'")
    cameras = {}
    for each in (load_tasks(task, robot=robot) if task else {}).values():
        cameras |= each.environment.arguments.get("cameras", {})
    return run(Setup(robot, robot != SIMULATED, cameras, address or ""))
