"""Keywords and options of the Gymnasium environments, checked by name."""

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from grek.envs.episodes import EpisodeConfig
from grek.envs.simulation.simulation import CONTROL_STEP
from grek.errors import InputError


class UnexpectedKeyword(InputError, TypeError):
    """Keyword that an environment does not have.

    Also a TypeError, in Python's own words: libraries try a keyword and look for these.
    """


FIELDS = tuple(f.name for f in dataclasses.fields(EpisodeConfig))


def config_of(
    config: EpisodeConfig | None, given: dict[str, Any], steps: int | None, environment: type
) -> EpisodeConfig:
    """`config`, or the default, with the fields in `given` that are not None.

    `steps` is a time limit [control steps], -1 for the task's. `materials` may be names separated
    by commas, or "all". Raises InputError for an unknown keyword of `environment`, naming all.
    """
    for name in given:
        if name not in FIELDS:
            own = [k for k in inspect.signature(environment).parameters if k != "settings"]
            known = dict.fromkeys((*own, *FIELDS))
            raise UnexpectedKeyword(
                f"got an unexpected keyword argument {name!r}; there are: {', '.join(known)}"
            )
    changes = {name: value for name, value in given.items() if value is not None}
    materials = changes.get("materials")
    if isinstance(materials, str):
        names = tuple(name.strip() for name in materials.split(","))
        changes["materials"] = None if materials == "all" else names
    elif materials is not None:
        changes["materials"] = tuple(materials)
    if steps is not None and steps != -1:
        if not isinstance(steps, int | np.integer) or steps < 1:
            raise InputError(f"max_episode_steps {steps!r} is not a number of steps, or -1")
        changes["time_limit"] = steps * CONTROL_STEP
    return dataclasses.replace(config or EpisodeConfig(), **changes)


def mode_named(mode: str | None, environment: Any) -> str | None:
    """`mode`; raises InputError unless it is None or a render mode of `environment`."""
    modes = environment.metadata["render_modes"]
    if mode is not None and mode not in modes:
        raise InputError(f"unknown render_mode {mode!r}; there are: {', '.join(modes)}")
    return mode


def autoreset_named(mode: AutoresetMode | str) -> AutoresetMode:
    """Autoreset mode by its name or value; raises InputError naming the valid ones."""
    if isinstance(mode, AutoresetMode):
        return mode
    names = {key: each for each in AutoresetMode for key in (each.name, each.value)}
    if mode not in names:
        valid = ", ".join(each.name for each in AutoresetMode)
        raise InputError(f"unknown autoreset_mode {mode!r}; there are: {valid}")
    return names[mode]


def reset_options(options: dict[str, Any] | None, known: Sequence[str]) -> dict[str, Any]:
    """`options` of reset; raises InputError for one that is not in `known`."""
    for name in options or {}:
        if name not in known:
            raise InputError(f"unknown option {name!r} of reset; there are: {', '.join(known)}")
    return dict(options or {})


def chosen(mask: Any, worlds: int) -> NDArray[np.bool_]:
    """Worlds (n,) that `reset_mask` chooses, by default all; raises InputError for another."""
    if mask is None:
        return np.ones(worlds, bool)
    mask = np.asarray(mask)
    if mask.dtype != np.bool_ or mask.shape != (worlds,) or not mask.any():
        raise InputError(
            f"reset_mask is a boolean array ({worlds},) with at least one True, got {mask!r}"
        )
    return mask
