"""Footprints: where the ground of each world was pressed, how deep and when, in bounded memory.

A print is kept in square cells of CELL, in a hash table of SETS x WAYS cells per world. A set is
found by hashing the cell; when all its ways are taken, the one written first is forgotten. A walk
of 12 m presses about 3,000 cells, with at most two of a hundred forgotten. A world takes
WORLD_BYTES, and only the pages it presses.

A pile rises again: a print that was left `age` ago is exp(-age / recovery time) as deep.
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs import hashing
from grek.envs.vectors import Array

CELL = 0.027  # a third of a sole's width, the distance of its elements: few gaps [m]
SETS, WAYS = 4096, 4
WORLD_BYTES = SETS * (WAYS * (4 + 4 + 4) + 1)
_FAR = 2**15  # cells from the origin at which coordinates wrap, 885 m


class Footprints:
    """Depth pressed at any point of any world, read and written for many points at once."""

    def __init__(self, worlds: int) -> None:
        # Coordinates, packed, 0 is empty; depth [m]; time of writing [s]: a visit reads all three.
        self._sets = np.zeros((worlds * SETS, 3, WAYS), np.uint32)
        self._cell = self._sets[:, 0]
        self._depth, self._time = self._sets.view(np.float32)[:, 1:].swapaxes(0, 1)
        self._oldest = np.zeros(worlds * SETS, np.uint8)  # way that is overwritten next

    def reset(self, worlds: NDArray) -> None:
        """Smooth the ground of `worlds` (m,)."""
        self._sets.reshape(-1, SETS, 3, WAYS)[worlds] = 0
        self._oldest.reshape(-1, SETS)[worlds] = 0

    def read(self, worlds: NDArray, xy: Array, time: Array, recovery: Array) -> NDArray[np.float32]:
        """Depth (m, k) [m] at xy (m, k, 2) [m] and `time` (m,) [s] of `worlds` (m,).

        Prints fade with the time constant `recovery` (m, k) [s]; 0 is never.
        """
        at, cell = _locate(np.asarray(worlds)[:, None], xy)
        found, way = self._find(at.ravel(), cell.ravel())
        kept = at.ravel()[found], way
        left = self._depth[kept]
        if recovery.any():
            age = np.repeat(time, at.shape[1])[found] - self._time[kept]
            slow = recovery.ravel()[found]
            times = np.divide(age, slow, out=np.zeros_like(age), where=slow > 0)
            left = left * np.exp(-times)
        depth = np.zeros(at.shape, np.float32)
        depth.ravel()[found] = left
        return depth

    def write(
        self, worlds: NDArray, xy: Array, depth: NDArray, where: NDArray[np.bool_], time: Array
    ) -> None:
        """Set the depth (m, k) [m] at xy (m, k, 2) [m] of `worlds` (m,), only `where` (m, k).

        It is `time` (m,) [s] there. Of several points in one cell the last one counts.
        """
        row, column = np.nonzero(where)
        at, cell = _locate(np.asarray(worlds)[row], xy[row, column])  # (c,)
        depth, time = depth[row, column], np.asarray(time)[row]
        while len(at):
            found, way = self._find(at, cell)
            self._depth[at[found], way] = depth[found]
            self._time[at[found], way] = time[found]
            new = np.ones(len(at), bool)
            new[found] = False
            at, cell, depth, time = at[new], cell[new], depth[new], time[new]
            self._claim(at, cell)  # of several cells that claim one way, one gets it in this round

    def _find(self, at: NDArray, cell: NDArray) -> tuple[NDArray, NDArray]:
        """Which of `cell` (c,) are kept in their sets `at` (c,), and in which way."""
        found, way = np.nonzero(self._sets.take(at, 0)[:, 0] == cell[:, None])
        return found, way

    def _claim(self, at: NDArray, cell: NDArray) -> None:
        """Give each of `cell` (c,) a way in its set `at` (c,), where need be the oldest one."""
        empty = self._cell[at] == 0
        way, full = empty.argmax(1), ~empty.any(1)
        way[full] = self._oldest[at[full]]
        self._oldest[at[full]] = (way[full] + 1) % WAYS
        self._cell[at, way] = cell

    def snapshot(self) -> dict[str, NDArray]:
        """The cells that are taken, for `restore`."""
        at = np.nonzero(self._cell)
        return {
            "taken": np.ravel_multi_index(at, self._cell.shape),
            "cell": self._cell[at].astype(np.int64),
            "depth": self._depth[at],
            "time": self._time[at],
            "oldest": self._oldest.copy(),
        }

    def restore(self, saved: dict[str, NDArray]) -> None:
        """Go on from a snapshot of as many worlds."""
        at = np.divmod(saved["taken"], WAYS)
        self._cell[:] = 0
        for name in ("cell", "depth", "time"):
            getattr(self, f"_{name}")[at] = saved[name]
        self._oldest[:] = saved["oldest"].ravel()

    def cells(self, world: int) -> tuple[Array, NDArray[np.float32]]:
        """Centres (c, 2) [m] and depths (c,) [m], as they were left, of all cells of `world`."""
        sets = slice(world * SETS, (world + 1) * SETS)
        taken = self._cell[sets] != 0
        packed = self._cell[sets][taken].astype(np.int64) - 1
        xy = np.stack([packed // (2 * _FAR), packed % (2 * _FAR)], 1) - _FAR
        return (xy + 0.5) * CELL, self._depth[sets][taken]


def _locate(world: NDArray, xy: Array) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The set of the cell at xy (..., 2) [m] of `world` (...), and its packed coordinates."""
    index = (np.floor(xy / CELL).astype(np.int64) + _FAR) % (2 * _FAR)
    packed = index[..., 0] * (2 * _FAR) + index[..., 1] + 1  # never 0
    at = (hashing.mix(packed.astype(np.uint64)) >> 52).astype(np.int64)  # SETS is 2^12
    return world * SETS + at, packed.astype(np.uint32)
