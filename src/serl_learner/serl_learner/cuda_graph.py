"""The update as one CUDA graph: on a GPU, starting its hundreds of small kernels costs more."""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from serl_learner.replay import Batch
from serl_learner.rlpd import RLPD, Info

WARM_UP = 3  # updates before the capture, in which cuBLAS and the optimisers allocate


def make_update(agent: RLPD) -> Callable[[Batch, bool], Info]:
    """`agent.update`, in the form that is fast on its device."""
    return GraphedUpdate(agent) if agent.device.type == "cuda" else agent.update


class GraphedUpdate:
    """Does what `RLPD.update` does, for batches of one shape, by replaying recorded kernels."""

    def __init__(self, agent: RLPD) -> None:
        self._agent = agent
        self._stream = torch.cuda.Stream()
        self._batch: Batch | None = None  # where the graphs read
        self._graphs: dict[bool, tuple[torch.cuda.CUDAGraph, dict[str, Tensor]]] = {}
        self._calls = {False: 0, True: 0}

    def __call__(self, batch: Batch, with_actor: bool) -> Info:
        self._calls[with_actor] += 1
        if self._calls[with_actor] <= WARM_UP:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                info = self._agent.update(batch, with_actor)
            torch.cuda.current_stream().wait_stream(self._stream)
            return info
        if self._batch is None:
            self._batch = Batch(*(getattr(batch, f.name).clone() for f in fields(batch)))
        if with_actor not in self._graphs:
            self._graphs[with_actor] = self._capture(with_actor)
        for field in fields(batch):
            getattr(self._batch, field.name).copy_(getattr(batch, field.name))
        graph, figures = self._graphs[with_actor]
        graph.replay()
        return self._agent.count_update(figures, with_actor)

    def _capture(self, with_actor: bool) -> tuple[torch.cuda.CUDAGraph, dict[str, Tensor]]:
        """Records one update without making it."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._agent.generator)
        # The thread that encodes frames goes on meanwhile: its calls are not part of the graph.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            figures = self._agent.descend(self._batch, with_actor)
        return graph, figures
