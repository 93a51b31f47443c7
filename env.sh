# source env.sh (bash): this shell then has the `serl` command, the nodes and the messages of the workspace.
_serl_root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if [ -f "$_serl_root/.venv/bin/activate" ]; then
    . "$_serl_root/.venv/bin/activate"
else
    echo "env.sh: there is no $_serl_root/.venv yet; run: make setup" >&2
fi
if [ -z "${ROS_DISTRO:-}" ]; then
    # ROS 2 from the wheels: the environment itself is the prefix that a ROS installation would be.
    export AMENT_PREFIX_PATH="$_serl_root/.venv" CMAKE_PREFIX_PATH="$_serl_root/.venv"
fi
# Not Fast DDS's shared memory, through which a killed node's successor may never be reached.
export FASTDDS_BUILTIN_TRANSPORTS="${FASTDDS_BUILTIN_TRANSPORTS:-UDPv4}"
# Robot descriptions, and Pinocchio where ROS does not bring it.
_serl_cmeel="$(echo "$_serl_root"/.venv/lib/python3*/site-packages/cmeel.prefix)"
AMENT_PREFIX_PATH="$AMENT_PREFIX_PATH:$_serl_cmeel" CMAKE_PREFIX_PATH="$CMAKE_PREFIX_PATH:$_serl_cmeel"
if [ -f "$_serl_root/install/local_setup.bash" ]; then . "$_serl_root/install/local_setup.bash"; fi
unset _serl_root _serl_cmeel
