"""What tools such as rviz need to show a simulated scene: URDF, frames, shapes."""

from collections.abc import Iterator, Mapping

import mujoco
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from serl_learner.qos import COMMAND, POLICY

from .geometry import to_xyzw
from .link_frames import Frames, LinkFrames
from .manipulation_env import ManipulationEnv

SHOWN_GROUPS = 3  # of geoms: what MuJoCo shows by default
GEOM = mujoco.mjtGeom
KINDS = {int(GEOM.mjGEOM_BOX): Marker.CUBE, int(GEOM.mjGEOM_CYLINDER): Marker.CYLINDER}


class SceneMessages:
    """Publishes `/robot_description`, `/tf_static` and `/scene` once, and `/tf` when it is told to.

    Frames are named as the URDF's links and the scene's bodies; the root link is the base frame.
    """

    def __init__(self, node: Node, environment: ManipulationEnv, stamp: Time):
        model, self._data = environment.robot.model, environment.robot.data
        urdf = environment.robot_description()
        self._links = LinkFrames(urdf)
        self.root = self._links.root
        names = {body: model.body(body).name for body in range(1, model.nbody)}
        self._bodies = [body for body in names if names[body] not in self._links.links]
        self._names = tuple(names[body] for body in self._bodies)
        self._transforms = node.create_publisher(TFMessage, "/tf", COMMAND)
        self._latched = []
        for topic, message in {
            "/robot_description": String(data=urdf),
            "/tf_static": _message(self._links.fixed, stamp),
            "/scene": MarkerArray(markers=list(self._shapes(model, stamp))),
        }.items():
            self._latched.append(node.create_publisher(type(message), topic, POLICY))
            self._latched[-1].publish(message)

    def publish_frames(self, joints: Mapping[str, float], stamp: Time) -> None:
        """`joints`: all that move, by name: rad, m. Costs nothing while nobody looks."""
        if self._transforms.get_subscription_count() == 0:
            return
        message = _message(self._links.moved(joints), stamp)
        message.transforms += _message(self._moved_bodies(), stamp).transforms
        self._transforms.publish(message)

    def _moved_bodies(self) -> Frames:
        """What the scene has that moves, from the base."""
        parents = (self.root,) * len(self._names)
        places = self._data.xpos[self._bodies], np.roll(self._data.xquat[self._bodies], -1, 1)
        return Frames(parents, self._names, *places)

    def _shapes(self, model: mujoco.MjModel, stamp: Time) -> Iterator[Marker]:
        """Of the scene, each in the frame of its body, with which it moves."""
        frames = {0: self.root, **dict(zip(self._bodies, self._names, strict=True))}
        for geom in range(model.ngeom):
            kind, body = KINDS.get(int(model.geom_type[geom])), model.geom_bodyid[geom]
            if kind is None or body not in frames or model.geom_group[geom] >= SHOWN_GROUPS:
                continue
            marker = Marker(ns="scene", id=geom, type=kind, frame_locked=True)
            marker.header.stamp, marker.header.frame_id = stamp, frames[body]
            _place(
                marker.pose.position,
                marker.pose.orientation,
                model.geom_pos[geom],
                to_xyzw(model.geom_quat[geom]),
            )
            half = model.geom_size[geom]
            size = 2.0 * (half if kind == Marker.CUBE else half[[0, 0, 1]])
            marker.scale.x, marker.scale.y, marker.scale.z = size.tolist()
            color = model.geom_rgba[geom].astype(float).tolist()
            marker.color.r, marker.color.g, marker.color.b, marker.color.a = color
            yield marker


def _message(frames: Frames, stamp: Time) -> TFMessage:
    message = TFMessage()
    for parent, child, position, quaternion in zip(*frames, strict=True):
        transform = TransformStamped(child_frame_id=child)
        transform.header.stamp, transform.header.frame_id = stamp, parent
        placed = transform.transform
        _place(placed.translation, placed.rotation, position, quaternion)
        message.transforms.append(transform)
    return message


def _place(where, how, position: np.ndarray, quaternion: np.ndarray) -> None:
    """Fills a point or vector, and a quaternion x-y-z-w."""
    where.x, where.y, where.z = position.tolist()
    how.x, how.y, how.z, how.w = quaternion.tolist()
