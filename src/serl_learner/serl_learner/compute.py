"""Settings of the whole process that make small networks fast on a CPU."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from serl_learner.config import ConfigError

DEVICES = ("auto", "cpu", "cuda")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = 1 << 30


def find_device(name: str, key: str = "learner.device") -> torch.device:
    """Of auto, cpu or cuda, as `key` has it; auto is cuda where there is one."""
    if name not in DEVICES:
        raise ConfigError(f"{key}: expected one of {', '.join(DEVICES)}, got {name}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError(f"{key}: expected auto or cpu, since torch finds no GPU here, got cuda")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def multiplies_bfloat16() -> bool:
    """Whether the CPU does, which is twice as fast as float32."""
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


@contextmanager
def tuned_process(threads: int) -> Iterator[None]:
    """For the time in which a process does little else than train; `threads` are torch's."""
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(threads)
    # oneDNN's matrix products in place of MKL's, which are half as fast on AMD. Where a CPU has
    # matrix units (AMX), and on GPUs, they round their inputs: to bfloat16 or TF32.
    torch.set_float32_matmul_precision("medium")
    _keep_freed_memory()
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])


def _keep_freed_memory() -> None:
    """Stops glibc from handing the memory of a step's large tensors back to the system.

    It would clear every page of it again in the next step, a quarter of the time of a critic step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    if mallopt:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
