"""Mark of tests that render."""

import pytest

from grek.envs.rendering.canvas import check_rendering
from grek.errors import InputError


def _can_draw() -> bool:
    try:
        check_rendering()
    except InputError:
        return False
    return True


needs_opengl = pytest.mark.skipif(not _can_draw(), reason="rendering needs libegl1")
