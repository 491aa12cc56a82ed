"""Logs of a body or a computer: MCAP files with JSON messages (mcap.dev).

MCAP holds streams of several kinds with their schemas in one file, is what tools for robots read,
and is complete up to the last chunk when its writer is killed. Numbers are written so that they are
read back to the last bit.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from grek import files
from grek.envs.vectors import Array
from grek.errors import InputError
from grek.onboard.computer import Record

NAME = "grek"  # of the metadata record
_NUMBER, _TEXT = {"type": "number"}, {"type": "string"}
_LIST = {"type": "array", "items": _NUMBER}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"step": {"type": "integer"}, **properties}}


SCHEMAS = {
    "/reading": _object(
        time=_NUMBER,
        gyro=_LIST,
        gravity=_LIST,
        joint_position=_LIST,
        joint_velocity=_LIST,
        command=_LIST,
        accelerometer=_LIST,
        seed={"type": "integer"},
    ),
    "/targets": _object(mode=_TEXT, state=_TEXT, joints=_LIST, action=_LIST, computing=_NUMBER),
    "/applied": _object(mode=_TEXT, joints=_LIST),
    "/state": _object(
        position=_LIST,
        rotation=_LIST,
        joint_position=_LIST,
        contact={"type": "array", "items": {"type": "boolean"}},
        fell={"type": "boolean"},
    ),
    "/event": _object(kind=_TEXT, detail=_TEXT),
}
"""JSON schema of the messages of each topic."""


@contextlib.contextmanager
def recording(path: Path | None, about: dict[str, str]) -> Iterator[Record]:
    """Yield a function that writes messages to the log `path`, None for none.

    `about` is written as metadata. A log is kept whole where a run is interrupted.
    """
    if path is None:
        yield lambda topic, time, message: None
        return
    try:
        from mcap.writer import Writer
    except ImportError:
        raise InputError("--log needs the package mcap: pip install mcap") from None
    stopped: KeyboardInterrupt | None = None
    with files.written(path) as part, part.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="", library="grek")
        writer.add_metadata(NAME, about)
        channels: dict[str, int] = {}
        for topic, schema in SCHEMAS.items():
            content = json.dumps(schema).encode()
            number = writer.register_schema(f"grek{topic.replace('/', '.')}", "jsonschema", content)
            channels[topic] = writer.register_channel(topic, "json", number)

        def record(topic: str, time: int, message: dict[str, Any]) -> None:
            data = json.dumps(message).encode()
            writer.add_message(channels[topic], log_time=time, publish_time=time, data=data)

        try:
            yield record
        except KeyboardInterrupt as stop:
            stopped = stop
        writer.finish()
    if stopped is not None:
        raise stopped


def read(path: Path) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """Metadata, and messages by topic in the order of their steps, of the log `path`.

    Raises InputError if it is not a log of Grek, or cut off.
    """
    try:
        from mcap.reader import make_reader
    except ImportError:
        raise InputError("a log needs the package mcap: pip install mcap") from None
    found: dict[str, list[dict[str, Any]]] = {topic: [] for topic in SCHEMAS}
    about: dict[str, str] | None = None
    try:
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True)
            for record in reader.iter_metadata():
                if record.name == NAME:
                    about = record.metadata
            for _, channel, message in reader.iter_messages():
                if channel.topic in found:
                    content = files.json_of(message.data, f"{path}: {channel.topic}")
                    found[channel.topic].append(content)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except InputError:
        raise
    except Exception as error:  # readers of damaged chunks raise anything
        raise InputError(f"{path} is not a whole MCAP file: {str(error)[:120]}") from None
    if about is None:
        raise InputError(f"{path} is not a log of grek")
    return about, found


def table(path: Path, messages: list[dict[str, Any]], name: str, columns: int) -> Array:
    """Entry `name` of messages (k, columns); raises InputError for anything else."""
    try:
        found = np.array([message[name] for message in messages], float)
    except (KeyError, TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != (len(messages), columns) or not np.isfinite(found).all():
        raise InputError(f"{path}: {name} is not {columns} finite numbers in every message")
    return found
