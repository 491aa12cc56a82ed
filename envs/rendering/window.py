"""Window on a display that shows images at the rate at which they happened."""

import os
import time
import warnings
from typing import Any

import glfw
import mujoco
import numpy as np
from numpy.typing import NDArray


class Window:
    """Window of `size` (width, height) [px]; `is_open` is False where there is no display."""

    def __init__(self, size: tuple[int, int], title: str) -> None:
        self._size = size
        self._handle: Any = None
        self._due = 0.0  # time of the next image [s]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", glfw.GLFWError)  # by which it says that there is none
            self._open(size, title)

    def _open(self, size: tuple[int, int], title: str) -> None:
        if not glfw.init():
            return
        glfw.default_window_hints()
        glfw.window_hint(glfw.RESIZABLE, glfw.FALSE)
        glfw.window_hint(glfw.COCOA_RETINA_FRAMEBUFFER, glfw.FALSE)
        if os.environ.get("MUJOCO_GL", "").lower() == "egl":  # one API for drawing and showing
            glfw.window_hint(glfw.CONTEXT_CREATION_API, glfw.EGL_CONTEXT_API)
        self._handle = glfw.create_window(*size, title, None, None)
        glfw.default_window_hints()
        if not self._handle:
            return
        glfw.make_context_current(self._handle)
        model = mujoco.MjSpec().compile()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_WINDOW, self._context)

    @property
    def is_open(self) -> bool:
        """True until the window is closed, by the program or by its user."""
        return bool(self._handle)

    def show(self, image: NDArray[np.uint8], period: float) -> None:
        """Show `image` (height, width, 3), `period` [s] after the last one or later."""
        if not self.is_open:
            return
        time.sleep(max(self._due - time.monotonic(), 0.0))
        self._due = time.monotonic() + period
        glfw.make_context_current(self._handle)
        rect = mujoco.MjrRect(0, 0, *self._size)
        pixels = np.ascontiguousarray(image[::-1]).ravel()
        mujoco.mjr_drawPixels(pixels, None, rect, self._context)
        glfw.swap_buffers(self._handle)
        glfw.poll_events()
        if glfw.window_should_close(self._handle):
            self.close()

    def close(self) -> None:
        """Close the window."""
        if self.is_open:
            glfw.make_context_current(self._handle)
            self._context.free()
            glfw.destroy_window(self._handle)
            self._handle = None
