"""Grek: a gym in which a small armless droid learns to walk on ground that gives and slides.

Importing it registers `grek/Walk-v0` with Gymnasium.
"""

from pathlib import Path as _Path

from gymnasium.envs.registration import register as _register

__version__ = "0.1.0"

_checkout = _Path(__file__).resolve().parent.parent
if (_checkout / "pyproject.toml").is_file():  # a checkout: envs/ training/ ... lie beside grek/
    __path__.append(str(_checkout))

_register(
    id="grek/Walk-v0",
    entry_point="grek.envs.gym_env:WalkEnv",
    vector_entry_point="grek.envs.gym_env:WalkVectorEnv",
)
