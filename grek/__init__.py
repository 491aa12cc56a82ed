"""Gymnasium package in which a small biped learns to walk on deformable and slippery ground.

`import grek` makes `gymnasium.make("grek/Walk-v0")` work, but does not import Gymnasium.
"""

import sys as _sys
from importlib.abc import MetaPathFinder as _MetaPathFinder
from importlib.machinery import ModuleSpec as _ModuleSpec
from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path
from types import ModuleType as _ModuleType
from typing import Any as _Any

__version__ = "0.1.0"

_checkout = _Path(__file__).resolve().parent.parent
if (_checkout / "pyproject.toml").is_file():  # a checkout: envs/ training/ ... lie beside grek/
    __path__.append(str(_checkout))

_REGISTRATION = "gymnasium.envs.registration"


def register_envs() -> None:
    """Register the environment ids with Gymnasium."""
    from gymnasium.envs.registration import register

    for name, settings in (("Walk", {}), ("Stage", {"task": "grek/Stage-v0"})):
        register(
            id=f"grek/{name}-v0",
            entry_point="grek.envs.gym_env:GrekEnv",
            vector_entry_point="grek.envs.gym_vector_env:GrekVectorEnv",
            kwargs=settings,
        )


class _RegisterOnImport(_MetaPathFinder):
    """Import hook that registers the ids as soon as Gymnasium is imported, then removes itself.

    Gymnasium 1.x reads no entry points, and importing it here would add 0.15 s to `grek --help`
    and to every start of pytest where the plugin is installed, and a dependency to `grek.onboard`.
    """

    def find_spec(self, name: str, *_: _Any) -> _ModuleSpec | None:
        if name != _REGISTRATION:
            return None
        _sys.meta_path.remove(self)
        spec = _find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: _ModuleType) -> None:
                execute(module)
                register_envs()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if _REGISTRATION in _sys.modules:
    register_envs()
else:
    _sys.meta_path.insert(0, _RegisterOnImport())
