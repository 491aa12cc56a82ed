"""Two feet led by hand over the ground that gives: prints, walls, stones, and the work it takes."""

import os
import signal
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from grek.envs.ground import materials
from grek.envs.ground.materials import index
from grek.envs.ground.shapes import Shape, part
from grek.envs.ground.sinking import Sinking
from grek.envs.ground.surface import Ground, Surface
from grek.envs.robots import GREK

SOFT = [name for name, material in materials.MATERIALS.items() if material.soft]
STEP, CONTROL = 0.005, 4  # physics step [s], of which so many make a control step
SOLE = 0.07  # of the droid below the foot's origin [m]


class LedFeet:
    """Worlds whose feet are where they are put; `Sinking` sees them as an engine's."""

    def __init__(
        self, rows: Sequence[np.ndarray], shape: Shape = (), threads: int = 1, seed: int = 1
    ) -> None:
        self.n = n = len(rows)
        self.worlds = np.arange(n)
        self.time = np.zeros(n)
        self.place, self.turn = np.zeros((n, 2, 3)), np.tile(np.eye(3), (n, 2, 1, 1))
        self.spin, self.linear = np.zeros((n, 2, 3)), np.zeros((n, 2, 3))
        self.force, self.moment = np.zeros((n, 2, 3)), np.zeros((n, 2, 3))
        ground = Ground(n)
        surfaces = [Surface(("sand",), (tuple(row.tolist()),), seed=seed) for row in rows]
        ground.set(self.worlds, [shape] * n, surfaces)
        self.sinking = Sinking(GREK, ground, self, threads)
        self.sinking.set(self.worlds, surfaces, [STEP] * n)

    def foot_pose(self, worlds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.place[worlds], self.turn[worlds]

    def foot_twist(self, worlds: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.spin[worlds], self.linear[worlds]

    def push_feet(
        self, worlds: np.ndarray, origin: np.ndarray, force: np.ndarray, moment: np.ndarray
    ) -> None:
        self.force[worlds], self.moment[worlds] = force, moment

    def follow(self, places: np.ndarray, turns: np.ndarray | None = None) -> np.ndarray:
        """Lead both feet along soles' places (k, 3) [m] and turns (k, 3, 3), a physics step each.

        Returns the work done on the ground in each step (k - 1, n) [J], by the trapezoidal rule.
        """
        turns = np.tile(np.eye(3), (len(places), 1, 1)) if turns is None else turns
        work, before = np.zeros((len(places) - 1, self.n)), None
        for k in range(len(places)):
            now, then = min(k, len(places) - 2), min(k, len(places) - 2) + 1
            self.place[:], self.turn[:] = places[k] - SOLE * turns[k] @ [0, 0, -1], turns[k]
            ends = [places[i] - SOLE * turns[i] @ [0, 0, -1] for i in (now, then)]
            self.linear[:] = (ends[1] - ends[0]) / STEP
            rate = (turns[then] @ turns[now].T - turns[now] @ turns[then].T) / (2 * STEP)
            self.spin[:] = rate[2, 1], rate[0, 2], rate[1, 0]
            if k % CONTROL == 0:
                self.sinking.look(self.worlds)
            self.sinking.push(self.worlds)
            self.time += STEP
            if before is not None:
                force, moment, linear, spin = before
                power = (force + self.force) * linear + (moment + self.moment) * spin
                work[k - 1] = -power.sum((1, 2)) * STEP / 2
            before = self.force.copy(), self.moment.copy(), self.linear.copy(), self.spin.copy()
        return work


def row_of(name: str = "sand", **changes: float) -> np.ndarray:
    """The nominal material with some parameters changed (P,)."""
    row = materials.material(name).nominal()
    for parameter, value in changes.items():
        row[index(parameter)] = value
    return row


def straight(*knots: tuple[float, float], speed: float = 0.1) -> np.ndarray:
    """Places (k, 3) of a sole along x and z, from knot to knot [m]."""
    parts = []
    for a, b in zip(np.array(knots[:-1]), np.array(knots[1:]), strict=True):
        count = max(round(np.abs(b - a).max() / speed / STEP), CONTROL)
        parts.append(a + (b - a) * np.arange(count)[:, None] / count)
    xz = np.concatenate([*parts, [knots[-1]] * CONTROL])
    return np.stack([xz[:, 0], np.zeros(len(xz)), xz[:, 1]], 1)


def test_a_sliding_sole_sinks_into_a_print_and_leaves_it():
    """20 N slid over the print of 12.8 mm: it neither floats over nor raises it."""
    feet = LedFeet([row_of()])
    feet.follow(straight((0.0, 0.01), (0.0, -0.0128), (0.0, 0.01), (-0.3, 0.01)))
    xy, before = feet.sinking.prints.cells(0)
    assert before == pytest.approx(0.0128, rel=1e-3)
    x, z, speed, path = -0.3, 0.0, 0.0, []
    for k in range(700):
        feet.place[:], feet.linear[:] = [x, 0, z + SOLE], [0.1 * (k > 100), 0, speed]
        if k % CONTROL == 0:
            feet.sinking.look(feet.worlds)
        feet.sinking.push(feet.worlds)
        speed += STEP / 5 * (feet.force[0, 0, 2] - 20)
        x, z = x + STEP * feet.linear[0, 0, 0], z + STEP * speed
        path.append((x, z))
    places = np.array(path)
    alone = places[(places[:, 0] > -0.25) & (places[:, 0] < -0.2), 1]
    inside = places[np.abs(places[:, 0]) < 0.01, 1]
    assert -0.006 < alone.min() < -0.002
    assert inside.max() < -0.76 * 0.0128  # below where its line begins to carry
    after = feet.sinking.prints.read(np.array([0]), xy[None], feet.time, np.zeros((1, len(xy))))
    assert (after[0] >= before - 1e-6).all()


def test_climbing_out_of_a_print_costs_what_a_vertical_plate_does():
    """A foot that hovers 10 mm down in its print, moved ahead: 0.377 zeta z^2 / 2 on 0.08 m.

    Li et al. 2013, alpha_x(90, 0). The ground below does not carry it; in its own trench, back
    where it came from, nothing holds it.
    """
    feet = LedFeet([row_of(exponent=1.0, cohesion=0, shear_length=5e-4)])
    feet.follow(straight((0.0, 0.01), (0.0, -0.02), (0.0, -0.01)))
    assert feet.sinking.load == pytest.approx(0)
    feet.follow(straight((0.0, -0.01), (0.01, -0.01)))
    assert feet.sinking.load == pytest.approx(0)
    zeta = row_of()[index("bearing")] / 0.01
    assert -feet.force[0, 0, 0] == pytest.approx(0.377 * zeta * 0.01**2 / 2 * 0.08, rel=0.02)


def test_a_hovering_foot_does_not_take_its_print_along():
    """Lifted half out of its print and moved on, it presses and carries nothing."""
    feet = LedFeet([row_of()])
    feet.follow(straight((0.0, 0.01), (0.0, -0.012), (0.0, -0.005)))
    before = len(feet.sinking.prints.cells(0)[0])
    feet.follow(straight((0.0, -0.005), (0.3, -0.005)))
    assert len(feet.sinking.prints.cells(0)[0]) == before
    assert feet.sinking.load == pytest.approx(0)


def test_stones_push_back():
    """Without friction or viscosity, a small round over gravel along x and z takes no work."""
    bare = {"friction_angle": 0, "cohesion": 0, "relaxation": 0, "collapse_share": 0}
    feet = LedFeet([row_of("gravel", **bare)] * 2, seed=3)
    feet.follow(straight((0.0, 0.02), (0.0, -0.012), (0.0, -0.0105)))
    lap = straight(
        (0, -0.0105), (0.001, -0.0105), (0.001, -0.0108), (0, -0.0108), (0, -0.0105), speed=0.01
    )
    work = [feet.follow(lap) for _ in range(2)][1]
    assert np.abs(work.sum(0)).max() < 0.02 * np.abs(work).sum(0).min()
    assert np.abs(feet.force[..., 0]).max() > 1


@pytest.mark.parametrize("seed", range(6))
def test_no_path_makes_energy(seed):
    """Both soles led along random closed paths, from the air into the ground and back, turned.

    Each of three laps, through slides, tilts and the prints of laps before, takes work.
    """
    rng = np.random.default_rng(seed)
    knots = np.zeros((8, 6))
    knots[:, 2] = 0.02
    knots[1:-1, :3] = rng.uniform([-0.04, -0.04, -0.015], [0.04, 0.04, 0.01], (6, 3))
    knots[1:-1, 3:] = rng.uniform(-0.2, 0.2, (6, 3))
    fine = np.interp(np.arange(0, 7, 0.01)[:, None] + 0 * knots[0], np.arange(8), np.arange(8))
    path = np.stack([np.interp(fine[:, 0], np.arange(8), k) for k in knots.T], 1)
    path = np.concatenate([path, np.tile(knots[-1], (CONTROL, 1))])
    feet = LedFeet([row_of(name) for name in SOFT], seed=seed)
    turns = Rotation.from_rotvec(path[:, 3:]).as_matrix()
    for _ in range(3):
        work = feet.follow(path[:, :3], turns)
        assert (work.sum(0) > 0.1 * np.abs(work).sum(0)).all()


def test_threads_and_forks_change_no_bit():
    """The same wrenches from one thread and four, and after the pool's process was forked."""
    path, forces = straight((0.0, 0.01), (0.02, -0.012), (0.05, -0.01)), []
    for threads in (1, 4):
        feet = LedFeet([row_of(SOFT[i % len(SOFT)]) for i in range(130)], threads=threads)
        feet.follow(path)
        forces.append(feet.force.copy())
    assert (forces[0] == forces[1]).all()
    child = os.fork()
    if child == 0:  # a pool inherited from the parent has no threads
        signal.alarm(20)
        feet.follow(path)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("preload", [1.0, 1.5])
@pytest.mark.parametrize("rise", [0.0, 0.1])
def test_soles_that_are_set_down_carry_their_load_at_rest(rise, preload):
    """75 N on each sole, along and across the slope, from where `set_down` puts them."""
    names = [name for name in SOFT if name != "gravel"] + ["gravel"]
    feet = LedFeet([row_of(name) for name in names], (part("slope", rise=rise, heading=0.0),))
    normal = np.array([-rise, 0, 1]) / np.hypot(rise, 1)
    feet.turn[:] = Rotation.from_euler("y", -np.arctan(rise)).as_matrix()
    feet.place[:] = [[0, 0.11, 0], [0, -0.11, 0]] + SOLE * normal
    feet.sinking.look(feet.worlds)
    depth = feet.sinking.set_down(feet.worlds, np.full(feet.n, 150.0), preload)
    set_down = feet.sinking.load.copy()
    feet.place -= depth[:, None, None] * normal
    for _ in range(3):
        feet.sinking.look(feet.worlds)
        feet.sinking.push(feet.worlds)
    assert feet.force[:-1, :, 2] == pytest.approx(75, rel=0.02)
    assert set_down[:-1] == pytest.approx(75 * normal[2], rel=1e-3)
    assert feet.force[:-1, :, :2] == pytest.approx(0, abs=1.0)
    # Stones push aside, and on a slope the way down the normal leads to other places on them.
    carried = feet.sinking.load[-1].sum()
    assert carried == pytest.approx(150 * normal[2], rel=0.02 if rise == 0 else 0.3)


def test_sliding_up_and_down_stones_makes_no_energy():
    """Soles dragged over coarse stones and back, at a fixed height, at 1.5 m/s and slower."""
    rows = [row_of("gravel", relief=0.5, grain=0.04), row_of("gravel", relaxation=0.02)]
    for speed in (1.5, 0.3):
        feet = LedFeet(rows, seed=4)
        places = straight((0.0, 0.02), (0.0, -0.008), (0.2, -0.008), (0.0, -0.008), speed=speed)
        places = np.concatenate([places, straight((0.0, -0.008), (0.0, 0.03), speed=speed)])
        work = feet.follow(places)
        assert (work.sum(0) > 0).all()
