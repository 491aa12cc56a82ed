"""Films as files; they need OpenGL and ffmpeg."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest
from PIL import Image

from grek.envs.robots import GREK
from grek.errors import InputError
from grek.eval.films.film import Film, check_filming

from ...envs.rendering.floor import Floor


def _can_draw() -> bool:
    try:
        check_filming()
    except InputError:
        return False
    return True


render = pytest.mark.skipif(not _can_draw(), reason="films need libegl1 and ffmpeg")

STAND = np.zeros(21)
STAND[2], STAND[3] = GREK.stand_height, 1.0
SMALL = (320, 180)


def _film(path: Path, floor: Floor, **settings: Any) -> Film:
    return Film(path, floor, GREK.load_spec(), GREK.base, **{"size": SMALL} | settings)


@render
def test_a_film_has_its_frames_at_true_speed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "walk.mp4"
    with _film(path, Floor("grass", "gravel")) as film:
        for k in range(5):
            qpos = STAND.copy()
            qpos[0] = 0.4 * k
            film.add(qpos, f"frame {k}")
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["walk.mp4"]
    frames = iio.imread(path)
    meta = iio.immeta(path)
    assert frames.shape == (5, SMALL[1], SMALL[0], 3)
    assert meta["codec"] == "h264" and meta["pix_fmt"].startswith("yuv420p")
    assert meta["fps"] == 25 and meta["duration"] == pytest.approx(0.2)


@render
def test_water_darkens_concrete_and_snow_is_white(tmp_path: Path) -> None:
    near = {}
    for name, floor in {
        "dry": Floor("wet_concrete", slope=0.0),
        "wet": Floor("wet_concrete", wet=1.0, slope=0.0),
        "snow": Floor("snow", slope=0.0),
    }.items():
        with _film(tmp_path / f"{name}.mp4", floor) as film:
            film.add(STAND, "")
        frame = iio.imread(tmp_path / f"{name}.mp4")[0]
        near[name] = frame[100:140, 250:310].mean()  # to the right of the droid
    assert near["wet"] < 0.8 * near["dry"]
    assert near["snow"] > 1.2 * near["dry"]


@render
def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="fell"),
        _film(tmp_path / "walk.mp4", Floor("tile")) as film,
    ):
        film.add(STAND, "")
        raise RuntimeError("fell")
    assert list(tmp_path.iterdir()) == []


@render
@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_a_film_is_an_animated_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"walk.{suffix}"
    with _film(path, Floor("wood", slope=0.0)) as film:
        for k in range(4):
            film.add(STAND + np.eye(21)[0] * 0.1 * k, f"frame {k}")
    with Image.open(path) as picture:
        assert picture.size == SMALL
        assert picture.n_frames == 4  # type: ignore[attr-defined]
        assert picture.info["loop"] == 0  # for ever
        times = []
        for k in range(4):
            picture.seek(k)
            picture.load()
            times.append(picture.info["duration"])
    assert times == [40] * 4


QUADRUPED = """<mujoco><worldbody><body name="trunk" pos="0 0 0.2"><freejoint/>
<geom type="capsule" size="0.05" fromto="-0.1 0 0 0.1 0 0" rgba="1 0 0 1"/>
<body pos="0.1 0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
<body pos="0.1 -0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
<body pos="-0.1 0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
<body pos="-0.1 -0.05 0"><joint axis="0 1 0"/><geom size="0.02" fromto="0 0 0 0 0 -0.18"/></body>
</body></worldbody></mujoco>""".replace("<geom size", '<geom type="capsule" size')


@render
def test_a_robot_without_looks_is_seen_with_its_shadow(tmp_path: Path) -> None:
    path = tmp_path / "walk.mp4"
    spec = mujoco.MjSpec.from_string(QUADRUPED)
    with Film(path, Floor("dry_concrete", slope=0.0), spec, "trunk", size=SMALL) as film:
        for height in (0.2, 50.0):  # the second is above the picture
            qpos = np.zeros(11)
            qpos[2], qpos[3] = height, 1.0
            film.add(qpos, "")
    seen, empty = iio.imread(path).astype(float)
    red = (seen[..., 0] - seen[..., 1] > 80).mean()  # the trunk
    assert 0.005 < red < 0.2
    brightness = seen.mean(2) / empty.mean(2)
    left = brightness[90:170, 40:150]  # where the shadow falls
    assert (left < 0.7).sum() > 100


@render
def test_a_robot_of_any_size_fills_the_same_share_of_the_picture(tmp_path: Path) -> None:
    red = []
    for scale in (1.0, 2.0):
        spec = mujoco.MjSpec.from_string(QUADRUPED)
        for body in spec.bodies:
            body.pos = scale * body.pos
        for geom in spec.geoms:
            geom.size, geom.fromto = scale * geom.size, scale * geom.fromto
        qpos = np.zeros(11)
        qpos[2], qpos[3] = 0.2 * scale, 1.0
        path = tmp_path / f"{scale}.mp4"
        with Film(path, Floor("wood", slope=0.0), spec, "trunk", size=SMALL) as film:
            film.add(qpos, "")
        frame = iio.imread(path)[0].astype(float)
        red.append((frame[..., 0] - frame[..., 1] > 120).mean())
    assert red[0] > 0.005
    assert red[1] == pytest.approx(red[0], rel=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps": 30}, "fps 30 is not one of 25, 50"),
        ({"size": (321, 180)}, "321x180 is not even"),
        ({"path": "walk.avi"}, r"'walk.avi' does not end in .mp4, .webp, .gif"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, settings: dict, message: str) -> None:
    path = tmp_path / settings.pop("path", "walk.mp4")
    with pytest.raises(InputError, match=message):
        _film(path, Floor("wood"), **settings)


def _python(code: str, **environment: str) -> subprocess.CompletedProcess:
    names = ("MUJOCO_GL", "DISPLAY", "PYOPENGL_PLATFORM")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="EGL is how Linux draws without a display")
def test_without_egl_one_line_names_the_package() -> None:
    code = (
        "from grek.errors import InputError\n"
        "from grek.envs.rendering.canvas import check_rendering\n"
        "try:\n    check_rendering()\nexcept InputError as error:\n    print(error)"
    )
    done = _python(code, __EGL_VENDOR_LIBRARY_DIRS="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "libegl1" in done.stdout and done.stdout.count("\n") == 1


@render
def test_drawing_works_if_mujoco_was_imported_before() -> None:
    done = _python(
        "import mujoco\nfrom grek.envs.rendering.canvas import check_rendering\ncheck_rendering()"
    )
    assert done.returncode == 0, done.stderr


FILMING = """
import resource, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, {here!r})
from grek.envs.robots import GREK
from grek.errors import InputError
from grek.eval.films.film import Film
from floor import Floor

STAND = np.zeros(21)
STAND[2], STAND[3] = GREK.stand_height, 1.0

resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))  # as if the disk were full
try:
    floor = Floor("sand", "gravel")
    with Film({path!r}, floor, GREK.load_spec(), GREK.base, size=(320, 180)) as film:
        for k in range(30):
            film.add(STAND + 0.01 * k, str(k))
except (InputError, OSError) as error:
    print("refused:", error)
"""


@render
@pytest.mark.parametrize("suffix", [".mp4", ".webp", ".gif"])
def test_a_film_on_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    code = FILMING.format(here=str(Path(__file__).parents[2] / "envs/rendering"), path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "refused:" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
