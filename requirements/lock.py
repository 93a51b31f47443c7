"""Prints what this environment has installed as pip constraints.

To move a version: install it in .venv, run the tests, then
`.venv/bin/python requirements/lock.py > requirements/constraints.txt`.
"""

import platform
from importlib.metadata import distributions


def main() -> None:
    print(
        f"# Made by lock.py with CPython {platform.python_version()} on Linux {platform.machine()}."
    )
    pinned = {
        distribution.metadata["Name"]: distribution.version
        for distribution in distributions()
        # ROS packages inside the wheels have metadata too, but no installer.
        if (distribution.read_text("INSTALLER") or "").strip() == "pip"
    }
    del pinned["pip"]
    for name in sorted(pinned, key=str.lower):
        print(f"{name}=={pinned[name]}")


if __name__ == "__main__":
    main()
