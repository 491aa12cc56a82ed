"""Episodes in a Parquet file: one row each, for scorecards of very many.

Columns are scenario, space, contexts (a JSON object), world, and one for each metric; undefined
numbers are null.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from grek import files
from grek.errors import InputError
from grek.eval.episodes.episodes import Episodes, Kind

SUFFIX = ".parquet"
_OTHERS = ("scenario", "space", "contexts", "world")
_CONTEXTS = dict[str, str]
_AT_ONCE = 65_536  # labels hashed at a time


def write(episodes: Episodes, path: Path) -> None:
    """Write `episodes`, without details and events, to `path`; raises InputError if it cannot."""

    def of_kind(values: list[str]) -> Any:
        return pa.DictionaryArray.from_arrays(episodes.kind.astype(np.int32), values)

    columns = {
        "scenario": pa.array(episodes.scenario, pa.string()),
        "space": of_kind(episodes.spaces),
        "contexts": of_kind([json.dumps(dict(kind.contexts)) for kind in episodes.kinds]),
        "world": pa.array(episodes.world),
        **{name: pa.array(values, from_pandas=True) for name, values in episodes.metrics.items()},
    }
    with files.written(path) as part:
        parquet.write_table(pa.table(columns), part, compression="zstd", write_page_checksum=True)


def read(path: Path) -> Episodes:
    """Episodes in the file `path`; raises InputError, one line, if it is not such a file."""
    name = f"episodes {path}"
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:

            def column(key: str) -> Any:  # one at a time, as they take less memory as NumPy's
                return file.read([key])[key]

            texts = {key: column(key).cast(pa.string()) for key in _OTHERS[:3]}
            metrics = {
                key: column(key).cast(pa.float64()).to_numpy()
                for key in file.schema_arrow.names
                if key not in _OTHERS
            }
            world = _world(column("world"))
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        said = str(error).partition("\n")[0][:200]
        raise InputError(f"{name} cannot be read: {said}") from None
    if not len(world) or any(column.null_count for column in texts.values()):
        raise InputError(f"{name}: a row lacks a scenario, space or contexts")
    for score in ("survived", "traversal", "velocity_error"):
        if score not in metrics:
            raise InputError(f"{name} has no column {score}")
    space, contexts = (texts[key].combine_chunks().dictionary_encode() for key in _OTHERS[1:3])
    both = space.indices.to_numpy() * len(contexts.dictionary) + contexts.indices.to_numpy()
    _, first, code = np.unique(both, return_index=True, return_inverse=True)
    kind = np.argsort(np.argsort(first))[code]  # numbered in order of appearance
    kinds = []
    for place in np.sort(first).tolist():
        space, text = (texts[key][place].as_py() for key in _OTHERS[1:3])
        pairs = files.converted(files.json_of(text, f"{name}: contexts"), _CONTEXTS, name)
        if not pairs:
            raise InputError(f"{name}: contexts of a row are empty")
        kinds.append(Kind(space, tuple(pairs.items())))
    return Episodes(texts["scenario"].to_numpy(), kind, tuple(kinds), world, metrics)


def _world(column: Any) -> NDArray[Any]:
    """Labels (n,), whole numbers as such where there are no others."""
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
