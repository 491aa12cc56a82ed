"""The page in headless Chromium, with real keys and clicks: `make test-browser`.

Screenshots go to the directory in BROWSER_SHOTS, by default one of the test's own.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from .browser import browser, program, waited

MIDDLE = (845, 330)  # of the droid on a page of the size that `browser` opens [px]

pytestmark = pytest.mark.skipif(
    not os.environ.get("BROWSER"), reason="make test-browser sets BROWSER=1"
)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Directory for screenshots."""
    directory = Path(os.environ.get("BROWSER_SHOTS", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


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
        waited(lambda: page.value("document.querySelectorAll('canvas').length"), "the picture")

        # A held key walks and its cap lights up; its release lets go.
        page.key("w", True)
        waited(lambda: page.news()["position"][0] > 0.3, "a walk")
        lit = "[...document.querySelectorAll('#grek kbd.down')].map(k => k.dataset.code).join()"
        waited(lambda: page.value(lit) == "KeyW", "a lit cap")
        driver = "document.querySelector('#driver').textContent"
        waited(lambda: page.value(driver) == "you drive", "the wheel")
        page.screenshot(shots / "walking.png")
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

        # A click on the droid, which stands in the middle between the panels.
        session._push = np.zeros(2)
        waited(lambda: page.click(*MIDDLE) or session._push.any(), "a push by a click")

        # The ground, by a control of the page.
        session.panel._controls[0][1].value = "snow"
        waited(lambda: page.news()["material"] == "snow", "snow")
        waited(lambda: page.value("document.body.textContent.includes('fresh snow')"), "its name")
        page.key("w", True)
        waited(lambda: page.news()["position"][0] > 0.4 or page.news()["falls"], "a walk on snow")
        page.key("w", False)
        page.screenshot(shots / "snow.png")
        assert page.errors == []
        assert page.news()["dropped"] == 0
