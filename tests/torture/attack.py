"""Damage to files and values, drawn from a seeded generator."""

import copy
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

SECONDS = float(os.environ.get("TORTURE", 0))  # for each test; 0 for its own small number of tries

NASTY: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 10**400, 2**63, 1e300, -1e-300, 0.5, "", "x", "nan", "\x1b[2J\x07"),
    *("a" * 5000, "é\u202e", "../../etc", [], {}, [[]], [None], [1, "a"], {"": None}),
)


def tries(count: int, seed: int = 0) -> Iterator[np.random.Generator]:
    """Generators of `count` tries, or of as many as fit into SECONDS."""
    began, i = time.monotonic(), 0
    while time.monotonic() - began < SECONDS if SECONDS else i < count:
        yield np.random.default_rng([seed, i])
        i += 1
    if SECONDS:
        print(f"attack {seed}: {i} tries", file=sys.stderr)  # seen with pytest -s


def mutated(content: Any, rng: np.random.Generator) -> Any:
    """`content` of a JSON file with one to three entries replaced, removed, renamed or repeated."""
    content = copy.deepcopy(content)
    for _ in range(rng.integers(1, 4)):
        at, key = _place(content, rng)
        if at is None:
            return _nasty(rng)
        kind = rng.integers(5)
        if kind < 3:
            at[key] = _nasty(rng)
        elif kind == 3:
            del at[key]
        elif isinstance(at, dict):
            at[str(_nasty(rng))] = at.pop(key)
        else:
            at.append(copy.deepcopy(at[key]))
    return content


def _nasty(rng: np.random.Generator) -> Any:
    return copy.deepcopy(NASTY[rng.integers(len(NASTY))])


def _place(content: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A container in `content` and a key of it, the containers near the top more often."""
    at: Any = None
    key: Any = None
    inner = content
    while isinstance(inner, dict | list) and len(inner) and (at is None or rng.random() < 0.7):
        at = inner
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[rng.integers(len(keys))]
        inner = at[key]
    return at, key


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """`content` with bits flipped, bytes overwritten, removed or inserted, or the end cut off."""
    data = bytearray(content)
    kind = rng.integers(5)
    start = int(rng.integers(len(data)))
    length = int(rng.integers(1, 40))
    if kind == 0:
        for _ in range(rng.integers(1, 8)):
            data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data[start : start + length] = rng.bytes(len(data[start : start + length]))
    elif kind == 2:
        del data[start : start + length]
    elif kind == 3:
        data[start:start] = rng.bytes(length)
    else:
        del data[start:]
    return bytes(data)
