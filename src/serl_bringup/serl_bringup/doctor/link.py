"""The way to the robot's control box and back: packets as Franka's own test sends them."""

import os
import socket
import struct
import time
from collections.abc import Callable, Sequence

import numpy as np

from serl_bringup.doctor.check import Check

PACKETS, PERIOD_S, BYTES = 2000, 0.001, 1200
LATE_MS = 1.0  # a control period
ANSWER_S = 0.2
ECHO, ECHO_REPLY = 8, 0
ALLOW = 'sudo sysctl net.ipv4.ping_group_range="0 2147483647"'


def robot_link(address: str, measure: Callable[[str], Sequence[float | None]]) -> Check:
    """`measure`: the round trips to an address in ms, None for one that was lost."""
    name = f"link to {address}"
    try:
        trips = measure(address)
    except PermissionError:
        return Check(name, "warn", "not measured: no right to send echo requests", ALLOW)
    except OSError as error:
        return Check(
            name, "fail", str(error.strerror or error), "robot on, cable, ip addr, --robot-ip"
        )
    return judge(name, trips)


def judge(name: str, trips: Sequence[float | None]) -> Check:
    answered = [trip for trip in trips if trip is not None]
    if not answered:
        return Check(name, "fail", "no answer", "robot on, cable, ip addr, --robot-ip")
    median, most = np.percentile(answered, (50.0, 99.9))
    lost = len(trips) - len(answered)
    found = f"{median:.2f} ms, 99.9 % within {most:.2f} ms, {lost} of {len(trips)} lost"
    if lost or most >= LATE_MS:
        advice = "a cable straight to the control box, no switch or Wi-Fi; governor, kernel above"
        return Check(name, "warn", found, advice)
    return Check(name, "ok", found)


def round_trips_ms(address: str) -> list[float | None]:
    """Of echo requests, one a millisecond, one at a time; None for one without an answer."""
    with _echo_socket() as sock:
        sock.settimeout(ANSWER_S)
        sock.connect((socket.gethostbyname(address), 0))
        trips: list[float | None] = []
        for number in range(PACKETS):
            trip = _round_trip_ms(sock, number)
            trips.append(trip)
            if number == 10 and not any(trips):
                break  # nobody is there
            time.sleep(max(PERIOD_S - (trip or 0.0) / 1000.0, 0.0))
    return trips


def _echo_socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except PermissionError:  # the system leaves it to root
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def _round_trip_ms(sock: socket.socket, number: int) -> float | None:
    identity = os.getpid() & 0xFFFF
    payload = bytes(BYTES)
    header = struct.pack("!BBHHH", ECHO, 0, 0, identity, number)
    header = struct.pack("!BBHHH", ECHO, 0, _checksum(header + payload), identity, number)
    began_s = time.perf_counter()
    sock.send(header + payload)
    while time.perf_counter() - began_s < ANSWER_S:
        try:
            packet = sock.recv(2 * BYTES)
        except TimeoutError:
            return None
        if sock.type == socket.SOCK_RAW:
            packet = packet[4 * (packet[0] & 0xF) :]  # without the header of IP
        kind, *_, answered = struct.unpack("!BBHHH", packet[:8])
        if (kind, answered) == (ECHO_REPLY, number):
            return 1000.0 * (time.perf_counter() - began_s)
    return None


def _checksum(data: bytes) -> int:
    """Of RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
