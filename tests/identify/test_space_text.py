"""Space file around an identified body: what is written is read, and holds the estimates."""

import numpy as np
import pytest

from grek.envs.distributions import Constant, Uniform
from grek.envs.robots import GREK
from grek.envs.scenarios import space_file
from grek.envs.scenarios.ranges import TRAIN
from grek.errors import InputError
from grek.identify import space
from grek.identify.fit import Estimate, Identified
from grek.identify.parameters import parameters, scenario

NOISE = {"gyro": 0.05, "gravity": 0.01, "joint_position": 0.004, "joint_velocity": 0.2}


def identified(unlearned: tuple[str, ...] = ()) -> Identified:
    """Estimates half a spread above the design, within a tenth of a spread."""
    estimates = {}
    for p in parameters(GREK):
        value, half = p.nominal + 0.5 * p.spread, 0.1 * p.spread
        learned = 0.0 if p.name.startswith(unlearned) else 0.99
        estimates[p.name] = Estimate(p, value, value - half, value + half, learned)
    return Identified(GREK, estimates, NOISE, 0.0)


def read(found: Identified, tmp_path, drift: float = 0.0) -> space_file.SpaceFile:
    path = tmp_path / "mine.toml"
    path.write_text(space.text(found, "mine", drift))
    return space_file.read(path)


def test_ranges_are_the_intervals(tmp_path):
    ranges = read(identified(), tmp_path).ranges
    assert ranges.payload == Uniform(0.4, 0.6)
    assert ranges.motors["strength"] == Uniform(1.16, 1.24)
    assert ranges.base_com == (Uniform(0.008, 0.012),) * 3
    assert ranges.sensors["joint_offset"] == (Uniform(0.006, 0.009),) * 10
    assert ranges.latency == Uniform(0.66, 0.74)
    assert ranges.sensors["joint_noise"] == Uniform(0.0032, 0.0048)  # a fifth to either side
    assert ranges.push == TRAIN.push and ranges.materials == TRAIN.materials


def test_drift_widens_them_by_half_the_range_of_training(tmp_path):
    ranges = read(identified(), tmp_path, drift=0.2).ranges
    assert isinstance(ranges.payload, Uniform)
    assert (ranges.payload.low, ranges.payload.high) == pytest.approx((0.3, 0.7))  # 0.2 * 1 / 2


def test_what_was_not_learned_is_as_in_training(tmp_path):
    unlearned = ("body.payload", "body.base_com.z", "sensors.tilt")
    found = identified(unlearned)
    ranges = read(found, tmp_path).ranges
    assert ranges.payload == TRAIN.payload and ranges.sensors["tilt"] == TRAIN.sensors["tilt"]
    assert ranges.base_com == (Uniform(0.008, 0.012), Uniform(0.008, 0.012), TRAIN.base_com)
    last = space.text(found, "mine", 0.0).splitlines()[-1]
    assert last == "# The logs tell too little of: body.payload, sensors.tilt."


def test_parameters_and_scenario_agree():
    """Each number goes to the field of its name, and to no other."""
    named = parameters(GREK)
    nominal = np.array([p.nominal for p in named])
    for k, p in enumerate(named):
        moved = nominal.copy()
        moved[k] = p.nominal + p.spread
        section, entry, *part = p.name.split(".")
        field = {"latency": "delay"}.get(entry, entry)
        before, after = (getattr(scenario(v), section) for v in (nominal, moved))
        changed = [name for name in vars(after) if getattr(after, name) != getattr(before, name)]
        assert changed == [field]
        if part:
            parts = {"joint_offset": GREK.joints}.get(entry, space_file.COMPONENTS.get(entry, ()))
            assert getattr(after, field)[parts.index(part[0])] == p.nominal + p.spread
        else:
            assert getattr(after, field) == p.nominal + p.spread


def test_every_parameter_has_an_entry():
    for p in parameters(GREK):
        section, entry, *_ = p.name.split(".")
        bounds = space_file.ENTRIES[section][entry]
        assert bounds.low <= p.low and p.high <= bounds.high


def test_names_come_from_files():
    assert space.name_of("My-robot 2") == "my_robot_2"
    for stem in ("2nd", "", "a" * 41):
        with pytest.raises(InputError):
            space.name_of(stem)


def test_constants_are_read_back(tmp_path):
    path = tmp_path / "plant.toml"
    path.write_text('schema = 1\nname = "plant"\nmotors.delay = 0.015\n')
    assert space_file.read(path).ranges.motors["delay"] == Constant(0.015)
