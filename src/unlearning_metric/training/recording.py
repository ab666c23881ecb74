"""A call of GPU work, recorded once and replayed at the cost of one start: a CUDA graph on a stream of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

#: Calls before a recording: libraries choose kernels and take memory in the first ones.
WARM_UPS = 3


class Recorder:
    """Records calls on a stream of its own, and replays them there."""

    #: Where the work is done that it records.
    device = "cuda"

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    @contextmanager
    def here(self) -> Iterator[None]:
        """What the block starts on the GPU runs on this stream, in its order."""
        with torch.cuda.stream(self.stream):
            yield

    def record(self, call: Callable[[], None], rewind: Callable[[], None]) -> Callable[[], None]:
        """What does on the GPU what ``call`` does there, with the same memory.

        The call runs a few times, each time after ``rewind``.

        Raises
        ------
        RuntimeError
            If the call waits for the GPU, or does anything else that cannot be recorded.
        """
        self.stream.wait_stream(torch.cuda.current_stream())
        with self.here():
            for _ in range(WARM_UPS):
                rewind()
                call()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            call()
        torch.cuda.synchronize()

        def replay(recorded: Callable[[], None] = call) -> None:
            # What was recorded reads tensors of the call's own: they live as long as the call does.
            graph.replay()

        return replay

    @staticmethod
    def seconds() -> float:
        """A clock, by which it is told how many models side by side gain."""
        return time.perf_counter()

    @staticmethod
    def random_state() -> torch.Tensor:
        """State of the generator that layers such as dropout draw from."""
        return torch.cuda.get_rng_state()

    @staticmethod
    def stage(values: torch.Tensor) -> torch.Tensor:
        """``values`` where the GPU fetches them by itself."""
        return values.pin_memory()

    @staticmethod
    def wait() -> None:
        """Until everything that was started has ended."""
        torch.cuda.synchronize()

    @staticmethod
    def free_bytes() -> int:
        """Memory that is left."""
        return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
