"""Offscreen renderer of MuJoCo, and a check that this machine can render."""

import importlib
import os
import sys
from functools import cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from grek.envs.rendering.stage import VISIBLE, Stage
from grek.errors import InputError


def check_rendering() -> None:
    """Raise InputError, on one line, if OpenGL does not work here."""
    stage = Stage(mujoco.MjSpec())
    stage.compile()
    Canvas(stage, (16, 16)).close()


class Canvas:
    """Renderer of a compiled stage to images of `size` (width, height) [px].

    It takes over the stage as it is, so that what is written before is uploaded once. Raises
    InputError, on one line, if OpenGL does not work here.
    """

    def __init__(self, stage: Stage, size: tuple[int, int]) -> None:
        _check_process()
        self._stage = stage
        self._rect = mujoco.MjrRect(0, 0, *size)
        try:
            self._gl = _gl_context()(*size)
            self._gl.make_current()
            self._context = stage.context()
        except Exception as error:  # a missing or broken GL library may raise anything
            raise InputError(
                "rendering needs OpenGL without a display: install the Debian package libegl1"
                f" (MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: {_one_line(error)})"
            ) from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(stage.model, maxgeom=2000)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = np.arange(len(self._option.geomgroup)) == VISIBLE
        self._option.sitegroup[:] = 0
        self._pixels = np.empty((size[1], size[0], 3), np.uint8)

    def scene(self, data: mujoco.MjData, camera: mujoco.MjvCamera) -> mujoco.MjvScene:
        """Update and return the scene for `draw`: the pose in `data` from `camera`."""
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            self._stage.model, data, self._option, None, camera, everything, self._scene
        )
        return self._scene

    def draw(self) -> NDArray[np.uint8]:
        """Image of the scene (height, width, 3)."""
        self._gl.make_current()
        self._stage.upload(self._context)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        return self._pixels[::-1]

    def close(self) -> None:
        """Free the GL context."""
        self._gl.make_current()
        self._context.free()
        self._gl.free()


@cache
def _first_process() -> int:
    """Process that drew first."""
    return os.getpid()


def _check_process() -> None:
    """Raise InputError in a fork of a process that drew: OpenGL's threads are not in it."""
    if _first_process() != os.getpid():
        raise InputError(
            "a process forked from one that drew cannot draw: begin it with the context spawn or"
            " forkserver, or fork before the first image"
        )


def _gl_context() -> type:
    """MuJoCo's GL context class for the platform in MUJOCO_GL, EGL by default on a headless Linux.

    Reloads the module, since mujoco reads MUJOCO_GL only when it is first imported.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    module = importlib.import_module("mujoco.rendering.classic.gl_context")
    return importlib.reload(module).GLContext


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
