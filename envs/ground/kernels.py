"""Compiled loops over worlds: how they are compiled, and how threads share them.

A law is a scalar function compiled by Numba. A kernel loops over a slice of worlds, `start` to
`stop`; slices run on a thread pool of our own with the interpreter's lock released. A world depends
on no other, so any number of threads gives the same bits.
"""

import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba import config as _config
from numba.core import cgutils
from numba.extending import intrinsic

FEW = 32  # worlds below which a second thread costs more than it saves
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_27, _30, _31, _32 = (np.uint64(bits) for bits in (27, 30, 31, 32))

config: Any = _config


def _digest(*sources: Path) -> str:
    digest = blake2b(mujoco.mj_versionString().encode(), digest_size=8)
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


_HERE = Path(__file__).parent
# One cache for each state of the sources in this folder: Numba itself would only look at the file
# of the outermost function, not at those it calls into.
_STATE = f"kernels-{_digest(*sorted(_HERE.glob('*.py')))}"
_CACHE = Path(config.CACHE_DIR or _HERE / "__pycache__") / _STATE
_COLD = not _CACHE.exists()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of scalars, records and arrays; later processes load it from a cache."""
    return _cached(njit, function, nogil=True)


def callback(*signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a C function of the given types, the first one its result's, now; see `kernel`."""
    _announce()
    of = signature[0](*signature[1:])
    return lambda function: _cached(lambda **options: cfunc(of, **options), function)


@cache
def _announce() -> None:
    """Say that compilation is about to begin if the cache is empty; delete caches of older sources.

    They are deleted in this folder only: a directory of the user's may serve other installations.
    """
    if not _COLD:
        return
    print("grek: compiling the ground for this processor, once: about 10 s", file=sys.stderr)
    for old in (_HERE / "__pycache__").glob("kernels-*"):
        if old.name != _STATE:
            shutil.rmtree(old, ignore_errors=True)


@cache
def elevation_address(function: Callable[..., Any]) -> int:
    """Address of the C function compiled from an elevation (coefficients, x, y, out) of a shape."""
    floats = types.CPointer(types.float64)
    return int(callback(types.void, floats, types.float64, types.float64, floats)(function).address)


def _cached(compiled: Callable[..., Any], function: Callable[..., Any], **options: Any) -> Any:
    source, before = Path(function.__code__.co_filename), config.CACHE_DIR
    inside = source.parent == _HERE
    if not source.is_file():  # typed in, not in a file
        return compiled(error_model="numpy", **options)(function)
    config.CACHE_DIR = str(_CACHE if inside else _CACHE / _digest(source))
    try:
        return compiled(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no directory that can be written: compile in every process
        return compiled(error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before


def _pointer(typing: Any, address: Any) -> Any:
    def convert(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), convert


pointer: Any = intrinsic(_pointer)
"""Pointer to an integer address, for `numba.carray` in compiled functions."""


def _elevate(typing: Any, address: Any, coefficients: Any, x: Any, y: Any) -> Any:
    def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.DoubleType()
        numbers = number.as_pointer()
        function = ir.FunctionType(ir.VoidType(), [numbers, number, number, numbers])
        out = cgutils.alloca_once(builder, number, 3, zfill=True)
        at = builder.inttoptr(arguments[0], function.as_pointer())
        coefficients = builder.inttoptr(arguments[1], numbers)
        builder.call(at, [coefficients, arguments[2], arguments[3], out])
        found = [builder.load(cgutils.gep_inbounds(builder, out, i)) for i in range(3)]
        return context.make_tuple(builder, signature.return_type, found)

    floats = types.UniTuple(types.float64, 3)
    return floats(types.int64, types.int64, types.float64, types.float64), call


elevate: Any = intrinsic(_elevate)
"""Height [m], dh/dx and dh/dy that the C function at an address (`elevation_address`) gives, from
the address of its coefficients and a place x, y [m]."""


@kernel
def mix(x: Any) -> Any:
    """The finaliser of SplitMix64 on one uint64; see `grek.envs.hashing.mix`."""
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@kernel
def _with(state: Any, key: Any) -> Any:
    return mix(state + np.uint64(key) + _GOLDEN)


@kernel
def uniform(x: Any, y: Any, seed: Any) -> Any:
    """A value in [0, 1) for three integers; see `grek.envs.hashing.uniform`."""
    return np.float64(_with(_with(_with(np.uint64(0), x), y), seed) >> _32) * 2.0**-32


@kernel
def uniform_pair(x: Any, seed: Any) -> Any:
    """A value in [0, 1) for two integers; see `grek.envs.hashing.uniform`."""
    return np.float64(_with(_with(np.uint64(0), x), seed) >> _32) * 2.0**-32


class Workers:
    """Threads that share the worlds of a kernel; made when first needed, and again after a fork."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, kernel: Callable[..., Any], worlds: int, *arguments: Any) -> None:
        """Call `kernel(start, stop, *arguments)` for slices that cover `worlds`."""
        share = min(self.threads, worlds // FEW)
        if share < 2:
            kernel(0, worlds, *arguments)
            return
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(self.threads - 1, "ground")
            self._process = os.getpid()
        edges = [worlds * i // share for i in range(share + 1)]
        others = [
            self._pool.submit(kernel, start, stop, *arguments)
            for start, stop in pairwise(edges[1:])
        ]
        kernel(0, edges[1], *arguments)
        for other in others:
            other.result()
