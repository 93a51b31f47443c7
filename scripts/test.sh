#!/usr/bin/env bash
# Runs every test: those of the C++ packages with ctest, then all others with pytest. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
set +u # the scripts of ROS 2 read variables that may not be set
# shellcheck source=env.sh
source ./env.sh
set -u

export OMP_NUM_THREADS=1 # small matrices: more threads only wait for each other

failed=()
echo "== C++ tests: franka_impedance_controller"
ctest --test-dir build/franka_impedance_controller --label-regex gtest --no-tests=error --output-on-failure ||
    failed+=("C++ tests (ctest, above)")
[[ -e install/franka_impedance_controller/lib/libcartesian_impedance_controller.so ]] ||
    echo "ros2_control not found: the controller plugin was not built, and its tests did not run"
echo "== Python tests"
# Two at a time: many tests wait for nodes, and each process of torch takes its memory.
python -m pytest src/*/test tests --numprocesses 2 --dist loadfile "$@" || failed+=("Python tests (pytest, above)")

if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
