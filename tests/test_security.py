"""What config/security/policy.xml allows is what the nodes do."""

import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node
from running import parameters, wait_until

from serl_learner.run_node import spinning

pytestmark = [pytest.mark.ros, pytest.mark.slow]

POLICY = Path(__file__).parents[1] / "config/security/policy.xml"
NODES = {  # module and enclave
    ("/agent", "learner"): ("serl_learner.learner_node", "/serl/learner"),
    ("/agent", "actor"): ("serl_actor.actor_node", "/serl/robot"),
    ("/agent", "reset_agent"): ("serl_actor.reset_agent_node", "/serl/robot"),
}


def allowed(enclave, namespace, node):
    """(kind, absolute name) of all that the policy allows a node, kind as the file calls it."""
    profile = ElementTree.parse(POLICY).find(
        f"enclaves/enclave[@path='{enclave}']/profiles/profile[@ns='{namespace}'][@node='{node}']"
    )
    names = set()
    for group in profile:
        for kind, rule in group.attrib.items():
            assert rule == "ALLOW"
            for entry in group:
                own = entry.text.replace("~", f"{namespace}/{node}")
                names.add((kind, own if own.startswith("/") else f"{namespace}/{own}"))
    return names


def used(observer, namespace, node):
    """The same of what a living node has."""
    lists = {
        "publish": observer.get_publisher_names_and_types_by_node,
        "subscribe": observer.get_subscriber_names_and_types_by_node,
        "reply": observer.get_service_names_and_types_by_node,
        "request": observer.get_client_names_and_types_by_node,
    }
    return {(k, name) for k, names in lists.items() for name, _ in names(node, namespace)}


def test_each_node_may_do_what_it_does(tmp_path, start):
    task = parameters(tmp_path, random_steps=0)  # the actor waits, and the learner asks it
    for module, _ in NODES.values():
        start(module, task, "-p", "reset.source:=person")
    context = rclpy.Context()
    rclpy.init(context=context)
    observer = Node("observer", context=context)
    with spinning(observer, threading.Event()):

        def is_complete():
            found = {(space, name) for name, space in observer.get_node_names_and_namespaces()}
            fetches = ("request", "/agent/actor/fetch_transitions")
            return found >= NODES.keys() and fetches in used(observer, "/agent", "learner")

        wait_until(is_complete, lambda: "three nodes, and a learner that asks for transitions")
        for (namespace, name), (_, enclave) in NODES.items():
            assert used(observer, namespace, name) <= allowed(enclave, namespace, name), name
    rclpy.try_shutdown(context=context)
