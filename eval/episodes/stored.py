"""Episodes in a Parquet file: one row each, for scorecards of very many.

Columns are scenario, space, contexts (a JSON object), world, and one for each metric; undefined
numbers are null.
"""

import glob
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from grek import files
from grek.errors import InputError
from grek.eval.episodes.episodes import Episodes, Indices, Kind

_OTHERS = ("scenario", "space", "contexts", "world")
_SCORES = ("survived", "traversal", "velocity_error")
_CONTEXTS = dict[str, str]
_AT_ONCE = 65_536  # labels hashed at a time


def place(card: Path, sha256: str) -> Path:
    """Path of the episodes of the scorecard file `card`, given their digest."""
    return card.with_name(f"{card.stem}.{sha256[:12]}.parquet")


def places(card: Path) -> list[Path]:
    """Existing files of the form that `place` gives."""
    found = card.parent.glob(f"{glob.escape(card.stem)}.*.parquet")
    return [p for p in found if re.fullmatch("[0-9a-f]{12}", p.stem.rpartition(".")[2])]


def write(episodes: Episodes, path: Path) -> None:
    """Write `episodes`, without details and events, to `path`; raises InputError if it cannot."""

    def of_kind(values: list[str]) -> Any:
        return pa.DictionaryArray.from_arrays(episodes.kind.astype(np.int32), values)

    try:
        table = pa.table(
            {
                "scenario": pa.array(episodes.scenario, pa.string()),
                "space": of_kind(episodes.spaces),
                "contexts": of_kind([json.dumps(dict(kind.contexts)) for kind in episodes.kinds]),
                "world": pa.array(episodes.world),
                **{k: pa.array(values, from_pandas=True) for k, values in episodes.metrics.items()},
            }
        )
    except (ValueError, TypeError, OverflowError) as error:  # worlds of several types, for example
        raise InputError(f"cannot write {path}: {_line(error)}") from None
    with files.written(path) as part:
        parquet.write_table(table, part, compression="zstd", write_page_checksum=True)


def read(path: Path, count: int) -> Episodes:
    """`count` episodes in the file `path`; raises InputError, one line, if there are none."""
    name = f"episodes {path}"
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            if file.metadata.num_rows != count:
                raise InputError(f"{name} are {file.metadata.num_rows}, not {count}: it was edited")

            def column(key: str) -> Any:  # one at a time, as they take less memory as NumPy's
                return file.read([key])[key].combine_chunks()

            scenario, space, contexts = (column(key).cast(pa.string()) for key in _OTHERS[:3])
            metrics = {
                key: column(key).cast(pa.float64()).to_numpy(zero_copy_only=False)
                for key in file.schema_arrow.names
                if key not in _OTHERS
            }
            world = _world(column("world"))
        missing = [key for key in _SCORES if key not in metrics]
        if missing or scenario.null_count or space.null_count or contexts.null_count:
            raise ValueError(f"it lacks {', '.join(missing) or 'a scenario, space or contexts'}")
        if any(np.isinf(values).any() for values in metrics.values()):
            raise ValueError("a number is not finite")
        kind, kinds = _kinds(space, contexts, name)
        return Episodes(scenario.to_numpy(zero_copy_only=False), kind, kinds, world, metrics)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise InputError(f"{name} cannot be read: {_line(error)}") from None


def _kinds(space: Any, contexts: Any, name: str) -> tuple[Indices, tuple[Kind, ...]]:
    """Index of the kind of each episode (n,), and the kinds in order of appearance."""
    space, contexts = space.dictionary_encode(), contexts.dictionary_encode()
    both = space.indices.to_numpy() * len(contexts.dictionary) + contexts.indices.to_numpy()
    _, first, code = np.unique(both, return_index=True, return_inverse=True)
    kinds = []
    for place in np.sort(first).tolist():
        text = files.json_of(contexts[place].as_py(), f"{name}: contexts")
        pairs = files.converted(text, _CONTEXTS, name)
        if not pairs:
            raise ValueError("contexts of a row are empty")
        kinds.append(Kind(space[place].as_py(), tuple(pairs.items())))
    return np.argsort(np.argsort(first))[code], tuple(kinds)


def _line(error: Exception) -> str:
    """First line of the message of `error`."""
    return str(error).partition("\n")[0][:200]


def _world(column: Any) -> NDArray[Any]:
    """Labels (n,), whole numbers as such where there are no others."""
    if column.type not in (pa.int64(), pa.string(), pa.null()):
        raise ValueError(f"worlds are of the type {column.type}")
    if column.type == pa.int64() and not column.null_count:
        numbers: NDArray[Any] = column.to_numpy()
        return numbers
    found = np.empty(len(column), object)
    found[:] = column.to_pylist()
    return found


def digest(episodes: Episodes) -> str:
    """SHA-256 over the values of `episodes`, whatever the file they are in."""
    kinds = [[kind.space, *kind.contexts] for kind in episodes.kinds]
    found = hashlib.sha256(json.dumps([kinds, sorted(episodes.metrics)]).encode())
    for labels in (episodes.scenario, episodes.world):
        for start in range(0, len(labels), _AT_ONCE):
            found.update(json.dumps(labels[start : start + _AT_ONCE].tolist()).encode())
    for column in (episodes.kind, *(episodes.metrics[name] for name in sorted(episodes.metrics))):
        found.update(np.ascontiguousarray(column).tobytes())
    return found.hexdigest()
