"""Footprints: where the ground of each world was pressed, how deep and when, in bounded memory.

A print is kept in square cells of CELL, in a hash table of SETS x WAYS cells per world. A set is
found by hashing the cell; when all its ways are taken, the one written first is forgotten. A walk
of 12 m presses about 6,000 cells, with two of a hundred forgotten. A world takes WORLD_BYTES, and
only the pages it presses.

A pile rises again: a print that was left `age` ago is exp(-age / recovery time) as deep.
"""

import numpy as np
from numpy.typing import NDArray

from grek.envs.robot import Array

CELL = 0.027  # a third of a sole's width: no gaps between the elements of a sole [m]
SETS, WAYS = 4096, 4
WORLD_BYTES = SETS * (WAYS * (4 + 4 + 4) + 1)
_FAR = 2**15  # cells from the origin at which coordinates wrap, 885 m


class Footprints:
    """Depth pressed at any point of any world, read and written for many points at once."""

    def __init__(self, worlds: int) -> None:
        self._cell = np.zeros((worlds, SETS, WAYS), np.uint32)  # packed coordinates, 0 is empty
        self._depth = np.zeros((worlds, SETS, WAYS), np.float32)  # [m]
        self._time = np.zeros((worlds, SETS, WAYS), np.float32)  # of writing [s]
        self._oldest = np.zeros((worlds, SETS), np.uint8)  # way that is overwritten next

    def reset(self, worlds: NDArray) -> None:
        """Smooth the ground of `worlds` (m,)."""
        self._cell[worlds] = 0
        self._oldest[worlds] = 0

    def read(self, worlds: NDArray, xy: Array, time: Array, recovery: Array) -> Array:
        """Depth (m, k) [m] at xy (m, k, 2) [m] and `time` (m,) [s] of `worlds` (m,).

        Prints fade with the time constant `recovery` (m, k) [s]; 0 is never.
        """
        cell, at = _locate(xy)
        world = np.asarray(worlds)[:, None]
        hit = self._cell[world, at] == cell[..., None]  # (m, k, WAYS)
        depth = (self._depth[world, at] * hit).sum(2)
        if not recovery.any():
            return depth
        age = time[:, None] - (self._time[world, at] * hit).sum(2)
        times = np.divide(age, recovery, out=np.zeros_like(recovery), where=recovery > 0)
        return depth * np.exp(-times)

    def write(
        self, worlds: NDArray, xy: Array, depth: NDArray, where: NDArray[np.bool_], time: Array
    ) -> None:
        """Set the depth (m, k) [m] at xy (m, k, 2) [m] of `worlds` (m,), only `where` (m, k).

        It is `time` (m,) [s] there. Of several points in one cell the last one counts.
        """
        row, column = np.nonzero(where)
        if not len(row):
            return
        cell, at = _locate(xy[row, column])  # (c,)
        world = np.asarray(worlds)[row]
        ways = self._cell[world, at]  # (c, WAYS)
        known, empty = ways == cell[:, None], ways == 0
        full = ~(known | empty).any(1)
        way = np.where(known.any(1), known.argmax(1), empty.argmax(1))
        way = np.where(full, self._oldest[world, at], way)
        self._oldest[world[full], at[full]] = (way[full] + 1) % WAYS
        self._cell[world, at, way] = cell
        self._depth[world, at, way] = depth[row, column]
        self._time[world, at, way] = time[row]

    def snapshot(self) -> dict[str, NDArray]:
        """The cells that are taken, for `restore`."""
        taken = np.flatnonzero(self._cell)
        return {
            "taken": taken,
            "cell": self._cell.ravel()[taken].astype(np.int64),
            "depth": self._depth.ravel()[taken],
            "time": self._time.ravel()[taken],
            "oldest": self._oldest.copy(),
        }

    def restore(self, saved: dict[str, NDArray]) -> None:
        """Go on from a snapshot of as many worlds."""
        self._cell[:] = 0
        for name in ("cell", "depth", "time"):
            getattr(self, f"_{name}").ravel()[saved["taken"]] = saved[name]
        self._oldest[:] = saved["oldest"]

    def cells(self, world: int) -> tuple[Array, NDArray[np.float32]]:
        """Centres (c, 2) [m] and depths (c,) [m], as they were left, of all cells of `world`."""
        taken = self._cell[world] != 0
        packed = self._cell[world][taken].astype(np.int64) - 1
        xy = np.stack([packed // (2 * _FAR), packed % (2 * _FAR)], 1) - _FAR
        return (xy + 0.5) * CELL, self._depth[world][taken]


def _locate(xy: Array) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Packed coordinates, never 0, and the set of the cell at xy (..., 2) [m]."""
    index = np.floor(xy / CELL).astype(np.int64) + _FAR
    side = 2 * _FAR
    packed = (index[..., 0] % side) * side + index[..., 1] % side + 1
    mixed = packed.astype(np.uint64)  # the finaliser of MurmurHash3: neighbours land far apart
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    at = (mixed >> np.uint64(52)).astype(np.int64)  # SETS is 2^12
    return packed.astype(np.uint32), at
