"""The page in headless Chromium, with real keys and clicks: `make test-browser`.

Screenshots go to the directory in BROWSER_SHOTS, by default one of the test's own.
"""

import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grek.drive.scene import HAZE_8

from .browser import browser, program, waited

CANVAS = "canvas[data-engine]"  # that three.js draws in

pytestmark = pytest.mark.skipif(
    not os.environ.get("BROWSER"), reason="make test-browser sets BROWSER=1"
)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Directory for screenshots."""
    directory = Path(os.environ.get("BROWSER_SHOTS", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def view(page) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the picture between the panels [px]."""
    find = f"""(() => {{ const r = document.querySelector('{CANVAS}').getBoundingClientRect();
        return [r.left, r.top, r.right, r.bottom]; }})()"""
    return tuple(round(x) for x in page.value(find))


def complete(page, path: Path) -> bool:
    """True if ground fills the lower half of the picture, and the droid's orange its middle.

    Writes the screenshot to `path`.
    """
    left, top, right, bottom = view(page)
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot(path))).convert("RGB")).astype(int)
    picture = pixels[top:bottom, left:right]
    height, width, _ = picture.shape
    lower = picture[height // 2 :, : width // 4]
    sky = np.abs(lower - HAZE_8).max(2) < 8
    red, green, blue = np.moveaxis(picture[:, width // 4 : 3 * width // 4], 2, 0)
    orange = (red > 180) & (green < 0.6 * red) & (blue < 0.4 * red)
    return bool(sky.mean() < 0.01 and orange.sum() > 500)


def test_keys_and_clicks_drive_the_droid(drive, shots):
    """One page and one browser for all: starting them takes longer than driving."""
    assert program(), "no Chromium: apt-get install chromium"
    running = drive("sand")
    session = running.session
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        browser(running.address, Path(profile)) as page,
    ):
        waited(lambda: page.news().get("step"), "the page's socket")
        canvas = f"document.querySelectorAll('{CANVAS}').length"
        waited(lambda: page.value(canvas), "a canvas")
        waited(lambda: complete(page, shots / "standing.png"), "droid and ground")

        # A held key walks and its cap lights up; its release lets go.
        page.key("w", True)
        waited(lambda: page.news()["position"][0] > 0.3, "a walk")
        lit = "[...document.querySelectorAll('#grek kbd.down')].map(k => k.dataset.code).join()"
        waited(lambda: page.value(lit) == "KeyW", "a lit cap")
        driver = "document.querySelector('#driver').textContent"
        waited(lambda: page.value(driver) == "you drive", "the wheel")
        waited(lambda: complete(page, shots / "walking.png"), "a walking droid on ground")
        page.key("w", False)
        waited(lambda: page.news()["command"] == [0, 0, 0, 0, 0], "a standing droid")
        assert page.news()["driver"] is None

        # Keys in a text field are text.
        field = (
            "[...document.querySelectorAll('input')].find(i => i.offsetParent && i.type === 'text')"
        )
        page.value(f"{field}.focus()")
        assert page.value("document.activeElement.tagName") == "INPUT"
        page.key("w", True)
        step = page.news()["step"]
        waited(lambda: page.news()["step"] > step + 25, "half a second")
        assert page.news()["held"] == []
        page.key("w", False)
        page.value("document.activeElement.blur()")

        # What is held when the page loses the focus is released.
        page.key("a", True)
        waited(lambda: page.news()["held"] == ["KeyA"], "a turn")
        page.value("window.dispatchEvent(new Event('blur'))")
        waited(lambda: page.news()["driver"] is None, "a release")
        page.key("a", False)

        # Buttons and taps.
        page.press_button("Push")
        waited(lambda: session._push.any(), "a push")
        steps = page.news()["step"]
        page.key("r", True)
        page.key("r", False)
        waited(lambda: page.news()["position"][0] < 0.1, "the origin")
        assert page.news()["step"] > steps

        # A click on the droid, which stands in the middle of the picture; one beside it.
        left, top, right, bottom = view(page)
        middle = (left + right) / 2, (top + bottom) / 2
        session._push = np.zeros(2)
        page.click(left + 30, middle[1])
        step = page.news()["step"]
        waited(lambda: page.news()["step"] > step + 25, "half a second")
        assert not session._push.any()
        waited(lambda: page.click(*middle) or session._push.any(), "a push by a click")

        # The ground, by a control of the page.
        session.panel._controls[0][1].value = "snow"
        waited(lambda: page.news()["material"] == "snow", "snow")
        waited(lambda: page.value("document.body.textContent.includes('fresh snow')"), "its name")
        page.key("w", True)
        waited(lambda: page.news()["position"][0] > 0.4 or page.news()["falls"], "a walk on snow")
        page.key("w", False)
        waited(lambda: complete(page, shots / "snow.png"), "a picture of snow")
        assert page.errors == []
        assert page.news()["dropped"] == 0
