"""Measurements of `grek bench`: functions that return a `Rate` or a single figure."""

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from grek.envs.episodes import EpisodeConfig
from grek.envs.gym_env import GrekEnv
from grek.envs.gym_vector_env import GrekVectorEnv
from grek.envs.robots import GREK, Layout

WORLDS = 256
SUBSTEPS = 4
ENVPOOL_SUBSTEPS = 10
ENVPOOL_WORLDS = 64  # more are no faster and take minutes to create
_STAGE = int(mujoco.mjtStage.mjSTAGE_VEL)
Rate = Callable[[], float]
"""Takes one measurement; returns env steps (or samples) per second."""


def raw(threads: int) -> Rate:
    """Measure `Batch.step` alone, with the same robot on one plane: an upper bound of our rates."""
    spec = GREK.physics_spec()
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 1],
        contype=1,
        conaffinity=0,
        priority=1,
        friction=[0.75, 0, 0],
        solref=[0.012, 1],
    )
    for name in (*GREK.sole_points, *GREK.body_geoms):
        spec.geom(name).conaffinity = 1
    model = spec.compile()
    batch = Batch(model, WORLDS, threads, True)
    batch.reset()
    qpos, qvel, ctrl = batch.bind("qpos"), batch.bind("qvel"), batch.bind("ctrl")
    layout = Layout.of(model, GREK)
    rng = np.random.default_rng(0)
    held = np.array(GREK.home) + np.array(GREK.static_offset)
    start = np.tile(model.qpos0, (WORLDS, 1))
    start[:, layout.qpos] = GREK.home
    start[:, 2] = GREK.stand_height + 0.001

    def run(steps: int = 50) -> float:
        qpos[:], qvel[:] = start, 0
        began = time.perf_counter()
        for _ in range(steps):
            ctrl[:] = held + rng.normal(0, 0.02, ctrl.shape)
            batch.step(nstep=SUBSTEPS, stage=_STAGE)
        return steps * WORLDS / (time.perf_counter() - began)

    return run


def vector_env(threads: int, materials: tuple[str, ...] | None, worlds: int = WORLDS) -> Rate:
    """Measure `GrekVectorEnv` under small random actions, as in `raw`.

    `materials` of None are all training materials.
    """
    config = EpisodeConfig(materials=materials)
    envs = GrekVectorEnv(worlds, threads=threads, config=config)

    def run(steps: int = 50) -> float:
        envs.reset(seed=0)
        return timed(lambda: envs.step(random_actions(worlds)), steps) * worlds

    return run


def single_env() -> Rate:
    """Measure a single `GrekEnv`."""
    env = _dry_env()

    def run(steps: int = 300) -> float:
        env.reset(seed=0)

        def step() -> None:
            if any(env.step(random_actions(1)[0])[2:4]):
                env.reset()

        return timed(step, steps)

    return run


def peer(kind: Callable[..., Any], threads: int) -> Rate:
    """Measure `kind`, a vector environment class of Gymnasium or SB3, over `GrekEnv`.

    The first call tries 1, 4 and 16 environments per thread; later calls use the fastest.
    """
    sizes = [threads * each for each in (1, 4, 16)]

    def run() -> float:
        rates = {worlds: rate(worlds) for worlds in sizes}
        sizes[:] = [max(rates, key=lambda worlds: rates[worlds])]
        return rates[sizes[0]]

    def rate(worlds: int) -> float:
        steps = max(400 // worlds, 20)
        envs = kind([_dry_env] * worlds)
        envs.reset()
        found = timed(lambda: envs.step(random_actions(worlds)), steps) * worlds
        envs.close()
        return found

    return run


def _dry_env() -> GrekEnv:
    return GrekEnv(config=EpisodeConfig(materials=("dry_concrete",)))


def training(threads: int, steps: int = 65_536) -> float:
    """Measure `grek train` with default settings [env steps/s], over the second half of a run."""
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory) / "run"
        command = [sys.executable, "-m", "grek", "train", "--out", str(run)]
        command += ["--steps", str(steps), "--threads", str(threads)]
        subprocess.run(command, check=True, capture_output=True)
        with (run / "progress.csv").open() as file:
            rows = [(int(r["steps"]), float(r["seconds"])) for r in csv.DictReader(file)]
    (first, began), (last, ended) = rows[len(rows) // 2 - 1], rows[-1]
    return (last - first) / (ended - began)


def envpool(terrain: str, threads: int) -> Rate | None:
    """Measure EnvPool's Berkeley Humanoid, a 16 kg biped at 50 Hz with ten physics steps each.

    Returns None if EnvPool, or a version with these tasks, is not installed.
    """
    if find_spec("envpool") is None:
        return None
    pool = import_module("envpool")
    name = f"BerkeleyHumanoidJoystick{terrain}Terrain-v1"
    if name not in pool.list_all_envs():
        return None
    envs = pool.make_gymnasium(name, num_envs=ENVPOOL_WORLDS, num_threads=threads, seed=0)
    config = envs.spec.config
    assert config.ctrl_dt == 0.02 and round(config.ctrl_dt / config.sim_dt) == ENVPOOL_SUBSTEPS
    shape = (ENVPOOL_WORLDS, *envs.action_space.shape)

    def run(steps: int = 30) -> float:
        envs.reset()
        return timed(lambda: envs.step(_RNG.normal(0, 0.08, shape)), steps) * ENVPOOL_WORLDS

    return run


def ppo_updates(threads: int) -> tuple[Rate, Rate]:
    """Measure our PPO update without symmetry and that of Stable-Baselines3 [samples/s].

    Network and samples are the same; a sample counts once, whatever the number of epochs.
    """
    import stable_baselines3
    import torch
    from stable_baselines3.common.logger import Logger

    from grek.training.config import PPOConfig, TrainConfig
    from grek.training.train import make_model
    from grek.training.vec_env import GrekVecEnv

    env = GrekVecEnv(WORLDS, threads)
    model = make_model(env, TrainConfig(ppo=PPOConfig(symmetry="none")), threads)
    model.set_logger(Logger(None, []))
    buffer, rng = model.rollout_buffer, np.random.default_rng(0)

    def fill() -> None:
        buffer.reset()
        for _ in range(model.n_steps):
            seen = rng.standard_normal((WORLDS, *buffer.obs_shape)).astype(np.float32)
            with torch.no_grad():
                action, value, log_prob = model.policy(torch.as_tensor(seen))
            reward, starts = rng.standard_normal(WORLDS), np.zeros(WORLDS)
            buffer.add(seen, action.numpy(), reward, starts, value, log_prob)
        buffer.compute_returns_and_advantage(torch.zeros(WORLDS), np.zeros(WORLDS))

    def rate(update: Callable[[], None], torch_threads: int) -> Rate:
        def run() -> float:
            fill()
            torch.set_num_threads(torch_threads)
            began = time.perf_counter()
            update()
            return model.n_steps * WORLDS / (time.perf_counter() - began)

        return run

    return rate(model.train, 1), rate(lambda: stable_baselines3.PPO.train(model), threads)


def scaling(threads: int, most: int = 4096) -> list[dict[str, Any]]:
    """Measure `GrekVectorEnv` on all training materials, by number of worlds and of threads."""
    sizes = [(4**k, threads) for k in range(12) if 4**k <= most]
    sizes += [(WORLDS, n) for n in range(1, threads)]
    found = []
    for worlds, used in sizes:
        run = vector_env(used, None, worlds)
        rates = np.array([run() for _ in range(3)])
        found.append({"worlds": worlds, "threads": used, "rate": round(float(np.median(rates)))})
    return found


def memory_per_world(worlds: int = 1024) -> float:
    """Measure the growth of resident memory per additional world on sand [MiB]."""
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from grek.envs.gym_vector_env import GrekVectorEnv\n"
        "from grek.envs.episodes import EpisodeConfig\n"
        "envs = GrekVectorEnv(int(sys.argv[1]), config=EpisodeConfig(materials=('sand',)))\n"
        "envs.reset(seed=0)\n"
        "for _ in range(3): envs.step(np.zeros(envs.action_space.shape, np.float32))\n"
        # Not getrusage: a child inherits the peak of its parent.
        "status = Path('/proc/self/status').read_text()\n"
        "print(next(w.split()[1] for w in status.splitlines() if w.startswith('VmRSS')))"
    )
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", code, str(n)], capture_output=True, check=True, text=True
            ).stdout
        )
        for n in (worlds // 8, worlds)
    )
    return round((many - few) / 1024 / (worlds - worlds // 8), 3)


def startup(code: str) -> float:
    """Measure the run time of `code` in a new Python process, the least of three [s]."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    return round(min(times), 3)


def timed(step: Callable[[], object], steps: int) -> float:
    """Measure calls of `step` per second, after five calls to warm up."""
    for _ in range(5):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


_RNG = np.random.default_rng(1)


def random_actions(worlds: int) -> np.ndarray:
    """Draw small random actions (worlds, joints) of about 0.02 rad at every joint."""
    return _RNG.normal(0, 0.08, (worlds, len(GREK.joints))).astype(np.float32)
