"""Footprints: where the ground of each world was pressed, how deep and when, in bounded memory.

A print is kept in square cells of CELL, in a hash table of SETS x WAYS cells per world. A set is
found by hashing the cell; when all its ways are taken, the one written first is forgotten. A walk
of 12 m presses about 3,000 cells, with at most two of a hundred forgotten. A world takes
WORLD_BYTES, and only the pages it presses.

A print is the deepest the ground was ever pressed: writing a shallower one leaves it. A pile rises
again: a print that was left `age` ago is exp(-age / recovery time) as deep.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grek.envs.ground.kernels import kernel, mix
from grek.envs.vectors import Array

CELL = 0.027  # a third of a sole's width, the distance of its elements: few gaps [m]
SETS, WAYS = 4096, 4
SET = np.dtype(
    [
        ("cell", np.uint32, WAYS),  # coordinates, packed; 0 is empty
        ("depth", np.float32, WAYS),  # [m]
        ("time", np.float32, WAYS),  # of writing [s]
    ]
)
WORLD_BYTES = SETS * (SET.itemsize + 1)
_FAR = 2**15  # cells from the origin at which coordinates wrap, 885 m
_SHIFT = np.uint64(52)  # SETS is 2^12


@kernel
def _pack(x: float, y: float) -> Any:
    """Packed coordinates of the cell at x, y [m], never 0."""
    i = (math.floor(x / CELL) + _FAR) % (2 * _FAR)
    j = (math.floor(y / CELL) + _FAR) % (2 * _FAR)
    return i * (2 * _FAR) + j + 1


@kernel
def print_depth(sets: Any, x: float, y: float, time: float, recovery: float) -> Any:
    """Depth [m] at x, y [m] and `time` [s] of a world's `sets` (SETS,).

    Prints fade with the time constant `recovery` [s]; 0 is never.
    """
    cell = _pack(x, y)
    at = mix(np.uint64(cell)) >> _SHIFT
    for way in range(WAYS):
        if sets[at].cell[way] == cell:
            depth = float(sets[at].depth[way])
            if recovery > 0.0:
                depth *= math.exp(-(time - sets[at].time[way]) / recovery)
            return depth
    return 0.0


@kernel
def press(
    sets: Any, oldest: Any, x: float, y: float, depth: float, time: float, recovery: float
) -> None:
    """Press the cell at x, y [m] of a world to `depth` [m], unless it is deeper now."""
    cell = _pack(x, y)
    at = mix(np.uint64(cell)) >> _SHIFT
    chosen = -1
    for way in range(WAYS):
        there = sets[at].cell[way]
        if there == cell:
            left = float(sets[at].depth[way])
            if recovery > 0.0:
                left *= math.exp(-(time - sets[at].time[way]) / recovery)
            if left > depth:
                return
            chosen = way
            break
        if there == 0 and chosen < 0:
            chosen = way
    if chosen < 0:
        chosen = oldest[at]
        oldest[at] = (chosen + 1) % WAYS
    sets[at].cell[chosen] = cell
    sets[at].depth[chosen] = depth
    sets[at].time[chosen] = time


@kernel
def _read(sets: Any, worlds: Any, xy: Any, time: Any, recovery: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            x, y = xy[i, j, 0], xy[i, j, 1]
            out[i, j] = print_depth(sets[worlds[i]], x, y, time[i], recovery[i, j])


@kernel
def _write(
    sets: Any,
    oldest: Any,
    worlds: Any,
    xy: Any,
    depth: Any,
    where: Any,
    time: Any,
    recovery: Any,
) -> None:
    for i in range(depth.shape[0]):
        w = worlds[i]
        for j in range(depth.shape[1]):
            if where[i, j]:
                x, y = xy[i, j, 0], xy[i, j, 1]
                press(sets[w], oldest[w], x, y, depth[i, j], time[i], recovery[i, j])


class Footprints:
    """Depth pressed at any point of any world, read and written for many points at once."""

    def __init__(self, worlds: int) -> None:
        self.sets = np.zeros((worlds, SETS), SET)
        self.oldest = np.zeros((worlds, SETS), np.uint8)  # way that is overwritten next

    def reset(self, worlds: NDArray) -> None:
        """Smooth the ground of `worlds` (m,)."""
        self.sets[worlds] = 0
        self.oldest[worlds] = 0

    def read(self, worlds: NDArray, xy: Array, time: Array, recovery: Array) -> Array:
        """Depth (m, k) [m] at xy (m, k, 2) [m] and `time` (m,) [s] of `worlds` (m,).

        Prints fade with the time constant `recovery` (m, k) [s]; 0 is never.
        """
        out = np.empty(xy.shape[:2])
        _read(self.sets, worlds, xy, time, recovery, out)
        return out

    def write(
        self,
        worlds: NDArray,
        xy: Array,
        depth: Array,
        where: NDArray[np.bool_],
        time: Array,
        recovery: Array,
    ) -> None:
        """Press the ground at xy (m, k, 2) [m] of `worlds` (m,) to `depth` (m, k) [m].

        Only `where` (m, k), and only where it is not deeper at `time` (m,) [s], fading with
        `recovery` (m, k) [s].
        """
        _write(self.sets, self.oldest, worlds, xy, depth, where, time, recovery)

    def snapshot(self) -> dict[str, NDArray]:
        """The cells that are taken, for `restore`."""
        taken = np.nonzero(self.sets["cell"])
        return {
            "taken": np.ravel_multi_index(taken, self.sets["cell"].shape),
            "cell": self.sets["cell"][taken].astype(np.int64),
            "depth": self.sets["depth"][taken],
            "time": self.sets["time"][taken],
            "oldest": self.oldest.copy(),
        }

    def restore(self, saved: dict[str, NDArray]) -> None:
        """Go on from a snapshot of as many worlds."""
        taken = np.unravel_index(saved["taken"], self.sets["cell"].shape)
        self.sets["cell"] = 0
        for name in ("cell", "depth", "time"):
            self.sets[name][taken] = saved[name]
        self.oldest[:] = saved["oldest"].reshape(self.oldest.shape)

    def cells(self, world: int) -> tuple[Array, NDArray[np.float32]]:
        """Centres (c, 2) [m] and depths (c,) [m], as they were left, of all cells of `world`."""
        taken = self.sets[world]["cell"] != 0
        packed = self.sets[world]["cell"][taken].astype(np.int64) - 1
        xy = np.stack([packed // (2 * _FAR), packed % (2 * _FAR)], 1) - _FAR
        return (xy + 0.5) * CELL, self.sets[world]["depth"][taken]
