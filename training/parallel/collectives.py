"""Messages between the processes that train one policy, through `torch.distributed`.

A sum is taken in the same order in every process, so each gets the same bits, and the same number
of processes gets them again. Alone, a process talks to nobody: nothing is summed or rounded.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class PeerLost(RuntimeError):
    """Another process of the group has ended, or cannot be reached."""


def rank() -> int:
    """Number of this process in the group, in [0, size); 0 is the leader."""
    return dist.get_rank() if _grouped() else 0


def size() -> int:
    """Number of processes in the group; 1 without a group."""
    return dist.get_world_size() if _grouped() else 1


def total(values: Tensor) -> Tensor:
    """Sum of `values` over all processes, which replaces `values` in each."""
    if size() > 1:
        with _lost_peers():
            dist.all_reduce(values)
    return values


def anywhere(flag: bool) -> bool:
    """True in every process if `flag` is in one of them."""
    return flag if size() == 1 else bool(total(torch.tensor([float(flag)])) > 0)


def leaders(value: float) -> float:
    """The leader's `value`, in every process."""
    if size() == 1:
        return value
    told = torch.tensor([float(value)], dtype=torch.float64)
    with _lost_peers():
        dist.broadcast(told, src=0)
    return float(told)


def barrier() -> None:
    """Wait until every process of the group is here."""
    anywhere(False)


def gathered(value: Any) -> list[Any]:
    """The `value` of each process in the leader, in order of their ranks; empty elsewhere."""
    if size() == 1:
        return [value]
    found = [None] * size() if rank() == 0 else None
    with _lost_peers():
        dist.gather_object(value, found, dst=0)
    return found or []


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()


@contextlib.contextmanager
def _lost_peers() -> Iterator[None]:
    """Context in which an error of the connection becomes PeerLost."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise PeerLost(str(error)) from error
