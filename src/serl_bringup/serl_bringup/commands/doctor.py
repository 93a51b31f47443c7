"""`serl doctor`."""


def add(commands) -> None:
    p = commands.add_parser("doctor", help="check this machine, and say what to do")
    p.set_defaults(command=_doctor)


def _doctor(_) -> int:
    from serl_bringup.doctor import run

    return run()
