"""Training: resumed equals uninterrupted, exported equals trained, PPO update equals SB3's."""

import dataclasses
import io
import signal

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch

from grek.envs.contract import contract_of
from grek.envs.episodes import EpisodeConfig
from grek.envs.tasks import walking
from grek.errors import InputError
from grek.eval.scores import policies
from grek.training import checkpoint
from grek.training.config import PPOConfig, TrainConfig
from grek.training.curriculum import Curriculum
from grek.training.export import export
from grek.training.ppo import PPO
from grek.training.train import discount, make_model, train
from grek.training.vec_env import GrekVecEnv

from .runs import PER_UPDATE, SMALL, config, weights

WIDE = walking().size()  # columns of an observation


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    """Bit for bit on one machine: weights, normaliser, optimiser, worlds, random state."""
    whole = train(config(tmp_path / "whole", 6))
    half = tmp_path / "half"

    def interrupt(model: PPO) -> None:
        if model.num_timesteps == 3 * PER_UPDATE:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(config(half, 6), interrupt)
    train(dataclasses.replace(config(half, 3), resume=half))
    one, two = weights(whole), weights(half)
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name
    assert checkpoint.newest(half)[0]["steps"] == 6 * PER_UPDATE


def test_entropy_counts_less_towards_the_end(tmp_path):
    seen = []
    train(config(tmp_path / "run", 4), lambda model: seen.append(model.ent_coef))
    assert seen == pytest.approx([SMALL.entropy * share for share in (0.75, 0.5, 0.25, 0)])


def test_the_same_seed_trains_the_same_policy_and_another_does_not(tmp_path):
    one = weights(train(config(tmp_path / "one", 2)))
    two = weights(train(config(tmp_path / "two", 2)))
    other = weights(train(config(tmp_path / "other", 2, seed=4)))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_exported_policy_equals_the_trained_one(tmp_path):
    run = train(config(tmp_path / "run", 2))
    env = GrekVecEnv(8, 1, EpisodeConfig())
    model = make_model(env, config(tmp_path / "x", 1))
    model.policy.load_state_dict(weights(run))
    model.policy.set_training_mode(False)
    policy = policies.load(str(run))
    rng = np.random.default_rng(0)
    observation = rng.normal(0, 3, (200, env.episodes.task.size())).astype(np.float32)
    padded = np.zeros((200, *env.observation_space.shape), np.float32)
    padded[:, : observation.shape[1]] = observation
    expected, _ = model.predict(padded, deterministic=True)
    assert policy.act(observation, np.zeros(200, np.uint64), 0) == pytest.approx(expected, abs=1e-5)
    assert np.abs(expected).max() > 0.01


@pytest.mark.parametrize("activation", [torch.nn.Tanh, torch.nn.ReLU, torch.nn.ELU])
def test_policies_of_plain_sb3_are_exported(activation, tmp_path):
    networks = {"activation_fn": activation, "net_arch": [8, 8]}
    env = gymnasium.make("grek/Walk-v0")
    model = stable_baselines3.PPO("MlpPolicy", env, policy_kwargs=networks, seed=1)
    with torch.no_grad():
        model.policy.action_net.weight *= 300  # new policies do next to nothing
    export(model.policy, contract_of(walking()), tmp_path / "mine.onnx")
    policy = policies.load(str(tmp_path / "mine.onnx"))
    observation = np.random.default_rng(0).normal(0, 3, (50, WIDE)).astype(np.float32)
    expected, _ = model.predict(observation, deterministic=True)
    assert policy.act(observation, np.zeros(50, np.uint64), 0) == pytest.approx(expected, abs=1e-4)
    assert np.abs(expected).max() > 1
    other = contract_of(walking(), note="another contract, the same weights")
    export(model.policy, other, tmp_path / "again.onnx")
    again = policies.load(str(tmp_path / "again.onnx"))
    assert again.sha256 != policy.sha256
    hashes = [each.contract["training"]["weights"] for each in (policy, again)]
    assert hashes[0] == hashes[1] and len(hashes[0]) == 64


def test_policies_that_cannot_be_exported_are_refused(tmp_path):
    networks, env = {"activation_fn": torch.nn.SELU}, gymnasium.make("grek/Walk-v0")
    model = stable_baselines3.PPO("MlpPolicy", env, policy_kwargs=networks)
    with pytest.raises(InputError, match="SELU; supported layers: Linear, ELU, ReLU, Tanh"):
        export(model.policy, contract_of(walking()), tmp_path / "mine.onnx")
    other = stable_baselines3.SAC("MlpPolicy", env, buffer_size=10)
    with pytest.raises(InputError, match="SACPolicy is not an ActorCriticPolicy"):
        export(other.policy, contract_of(walking()), tmp_path / "mine.onnx")
    assert not list(tmp_path.iterdir())


def test_a_policys_bits_do_not_depend_on_how_many_ask(tmp_path):
    policy = policies.load(str(train(config(tmp_path / "run", 1))))
    rng = np.random.default_rng(1)
    observation = rng.normal(0, 1, (50, WIDE)).astype(np.float32)
    together = policy.act(observation, np.zeros(50, np.uint64), 0)
    for i in (0, 15, 16, 49):
        alone = policy.act(observation[i : i + 1], np.zeros(1, np.uint64), 0)
        assert np.array_equal(alone[0], together[i])


@pytest.mark.parametrize("threads", [1, 3])
def test_update_equals_stable_baselines(threads, tmp_path):
    """With the extras off, one update moves every weight as `stable_baselines3.PPO` would."""
    plain = dataclasses.replace(SMALL, symmetry="none", kl_target=0.0)
    settings = config(tmp_path / "x", 1, ppo=plain)
    env = GrekVecEnv(8, 1, EpisodeConfig())
    env.seed(0)
    torch.manual_seed(0)
    model = make_model(env, settings, threads)
    model.kl_target = None
    model.set_logger(stable_baselines3.common.logger.Logger(None, []))
    model._last_obs, model._last_episode_starts = env.reset(), np.ones(8, bool)
    rng = np.random.default_rng(0)
    buffer, size = model.rollout_buffer, env.observation_space.shape[0]
    buffer.reset()
    with torch.no_grad():
        for _ in range(model.n_steps):
            seen = torch.as_tensor(rng.normal(size=(8, size)).astype(np.float32))
            action, value, log_prob = model.policy(seen)
            reward, start = rng.normal(size=8).astype(np.float32), rng.random(8) < 0.1
            buffer.add(seen.numpy(), action.numpy(), reward, start, value, log_prob)
    buffer.compute_returns_and_advantage(torch.zeros(8), np.zeros(8))
    begin = {k: v.clone() for k, v in model.policy.state_dict().items()}
    optimiser = model.policy.optimizer.state_dict()

    def updated(train) -> dict[str, torch.Tensor]:
        model.policy.load_state_dict(begin)
        model.policy.optimizer.load_state_dict(optimiser)
        buffer.generator_ready = False
        saved = {n: getattr(buffer, n).copy() for n in BUFFERS}
        np.random.seed(5)  # noqa: NPY002 - SB3's generator
        train(model)
        for name, values in saved.items():
            setattr(buffer, name, values)
        return {k: v.clone() for k, v in model.policy.named_parameters()}

    ours = updated(type(model).train)
    theirs = updated(stable_baselines3.PPO.train)
    for name, weight in theirs.items():
        assert torch.allclose(ours[name], weight, atol=1e-6), name
        assert not torch.equal(weight, begin[name]), name


BUFFERS = ("observations", "actions", "values", "log_probs", "advantages", "returns")


def test_truncated_episodes_are_bootstrapped_as_stable_baselines_does():
    env = GrekVecEnv(4, 1, EpisodeConfig())
    model = make_model(env, TrainConfig(ppo=SMALL))
    last = np.random.default_rng(0).normal(size=(4, *env.observation_space.shape))
    infos = [
        {"terminal_observation": last[i].astype(np.float32), "TimeLimit.truncated": i == 2}
        for i in range(4)
    ]
    extra = model._bootstrap(np.array([False, True, True, False]), infos)
    with torch.no_grad():
        value = model.policy.predict_values(torch.as_tensor(infos[2]["terminal_observation"])[None])
    assert extra == pytest.approx([0, 0, model.gamma * float(value), 0])


@pytest.mark.parametrize("symmetry", ["augment", "loss"])
def test_symmetry_makes_policies_more_symmetric(symmetry):
    env = GrekVecEnv(16, 1, EpisodeConfig(materials=("dry_concrete",)))
    asymmetry = {}
    for kind in ("none", symmetry):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        env.seed(1)
        model = make_model(
            env, TrainConfig(worlds=16, ppo=dataclasses.replace(SMALL, symmetry=kind, epochs=5))
        )
        model.learn(30 * 128)
        probe = torch.as_tensor(
            np.random.default_rng(2)
            .normal(size=(256, *env.observation_space.shape))
            .astype(np.float32)
        )
        with torch.no_grad():
            features = model.policy.normaliser(probe)
            assert model.mirror is not None
            image = model.mirror.observation(features)
            scale = model.policy.mean_action(features).square().mean()
            asymmetry[kind] = float(model._asymmetry(features, image) / scale)
    assert asymmetry[symmetry] < asymmetry["none"]


def test_learning_rate_follows_the_divergence():
    model = make_model(GrekVecEnv(2, 1, EpisodeConfig()), TrainConfig(ppo=SMALL))
    model.rate = 4e-4
    model._adapt_rate(0.05)
    assert model.rate == pytest.approx(4e-4 / 1.5)
    model._adapt_rate(0.01)
    assert model.rate == pytest.approx(4e-4 / 1.5)
    model._adapt_rate(0.001)
    assert model.rate == pytest.approx(4e-4)


def test_curriculum_rises_and_falls():
    curriculum = Curriculum(level=0.5, step=0.1, rare=8.0, often=4.0, window=40.0)
    for _ in range(19):
        assert curriculum.record(0, 100) == 0.5  # 38 s lived: not yet judged
    assert curriculum.record(4, 100) == pytest.approx(0.6)  # four falls in 40 s
    for falls, level in ((8, 0.6), (11, 0.5), (0, 0.6)):  # 5 s apart, 3.6 s, none
        assert curriculum.record(falls, 2000) == pytest.approx(level)


def test_damaged_checkpoints_are_passed_over(tmp_path):
    run = train(config(tmp_path / "run", 2))
    for old in sorted((run / "checkpoints").glob("step_*.pt"))[:-1]:
        old.unlink()
    (good,) = (run / "checkpoints").glob("step_*.pt")
    whole = good.read_bytes()
    damaged = good.with_name("step_999999999999.pt")
    flipped, rng = bytearray(whole), np.random.default_rng(0)
    nothing = io.BytesIO()
    torch.save(None, nothing)
    contents = [b"", whole[: len(whole) // 2], whole[:-1], nothing.getvalue()]
    for place in rng.integers(len(whole), size=30):
        flipped[place] ^= 1 << int(rng.integers(8))
        contents.append(bytes(flipped))
        flipped[place] = whole[place]
    for content in contents:
        damaged.write_bytes(content)
        state, warnings = checkpoint.newest(run)
        assert state["steps"] == 2 * PER_UPDATE
        assert len(warnings) == 1 and "step_999999999999.pt" in warnings[0]
    good.unlink()
    with pytest.raises(InputError, match=r"no complete checkpoint.*step_9{12}.pt: "):
        checkpoint.newest(run)


def test_a_run_that_is_killed_at_once_can_be_resumed(tmp_path):
    def die(model):
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train(config(tmp_path / "run", 2), die)
    state, _ = checkpoint.newest(tmp_path / "run")
    assert state["steps"] == 0
    run = train(TrainConfig(resume=tmp_path / "run", steps=2 * PER_UPDATE))
    whole = train(config(tmp_path / "whole", 2))
    for name, weight in weights(run).items():  # rounding depends on where arrays lie in memory
        assert torch.allclose(weight, weights(whole)[name], atol=1e-5), name


def test_training_that_diverges_ends_with_the_step_and_the_last_good_state(tmp_path):
    def poison(model):
        if model.num_timesteps == PER_UPDATE:
            with torch.no_grad():
                model.policy.value_net.weight[0, 0] = torch.nan

    with pytest.raises(InputError, match=f"training diverged at step {2 * PER_UPDATE}: "):
        train(config(tmp_path / "run", 4), poison)
    assert not (tmp_path / "run" / "policy.onnx").exists()
    state, warnings = checkpoint.newest(tmp_path / "run")
    assert not warnings and state["steps"] == 0
    assert all(value.isfinite().all() for value in state["policy"].values())


def test_two_trainings_into_one_directory_are_refused(tmp_path):
    refused = []

    def again(model):
        for other in (
            config(tmp_path / "run", 1, force=True),
            TrainConfig(resume=tmp_path / "run", steps=PER_UPDATE),
        ):
            with pytest.raises(InputError, match="another process is training into"):
                train(other)
            refused.append(other)

    run = train(config(tmp_path / "run", 1), again)
    assert len(refused) == 2 and (run / "policy.onnx").is_file()
    train(TrainConfig(resume=run, steps=PER_UPDATE))  # the lock is open again


def test_one_world_trains_without_becoming_undefined(tmp_path):
    tiny = dataclasses.replace(SMALL, rollout=33, minibatches=4)
    run = train(config(tmp_path / "run", 1, worlds=1, ppo=tiny))
    assert all(torch.isfinite(w).all() for w in weights(run).values())


def test_the_horizon_grows_by_equal_factors():
    """From 50 to 200 steps: 100 half way."""
    ppo = PPOConfig(gamma=0.98, final_gamma=0.995)
    horizons = [1 / (1 - discount(ppo, fraction)) for fraction in (0, 0.5, 1)]
    assert horizons == pytest.approx([50, 100, 200])
    assert discount(PPOConfig(gamma=0.98), 0.7) == 0.98
