# source env.sh: this shell then has the `serl` command, the nodes and the messages of the workspace.
_serl_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)"
. "$_serl_root/.venv/bin/activate"
if [ -z "$ROS_DISTRO" ]; then
    # ROS 2 from the wheels: the environment itself is the prefix that a ROS installation would be.
    export AMENT_PREFIX_PATH="$_serl_root/.venv"
    export CMAKE_PREFIX_PATH="$_serl_root/.venv:$(python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/cmeel.prefix"
fi
if [ -f "$_serl_root/install/local_setup.bash" ]; then . "$_serl_root/install/local_setup.bash"; fi
unset _serl_root
