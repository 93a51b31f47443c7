"""Points the CMake exports of the ROS message wheels at this environment.

The wheels name the headers of the machine that built them (`/opt/python/...`), and CMake stops at
a path that does not exist. Run again whenever Python or numpy change.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy


def main() -> None:
    replacements = [
        (re.compile(r"/opt/python/[^;\"]*?/numpy/_core/include"), numpy.get_include()),
        (
            re.compile(r"/opt/python/[^;\"]*?/include/python3\.\d+"),
            sysconfig.get_paths()["include"],
        ),
    ]
    for path in Path(sys.prefix, "share").glob("*/cmake/export_*rosidl_generator_pyExport.cmake"):
        before = after = path.read_text()
        for pattern, replacement in replacements:
            after = pattern.sub(replacement, after)
        if after != before:
            path.write_text(after)


if __name__ == "__main__":
    main()
