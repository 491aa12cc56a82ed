"""PPO in one file, in the style of CleanRL's `ppo_continuous_action.py`, on one batch of worlds.

Shows how a script of one's own meets the vector environment; `grek train` learns faster.
"""

import argparse

import gymnasium as gym
import moviepy  # noqa: F401 - RecordVideo needs it: fail before training, not after
import numpy as np
import torch
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from torch import Tensor, nn

import grek  # noqa: F401 - registers the ids


class Agent(nn.Module):
    """Actor and critic, and the mean and variance by which observations are normalised."""

    mean: Tensor
    variance: Tensor

    def __init__(self, observations: int, actions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(observations))
        self.register_buffer("variance", torch.ones(observations))
        self.actor = network(observations, actions, 0.01)
        self.critic = network(observations, 1, 1.0)
        self.log_std = nn.Parameter(torch.full((actions,), -0.6))

    def normalise(self, observation: Tensor) -> Tensor:
        """Scale `observation` (n, size) to mean 0 and variance 1, clipped."""
        return ((observation - self.mean) / (self.variance + 1e-8).sqrt()).clamp(-10, 10)

    def forward(self, observation: Tensor) -> tuple[torch.distributions.Normal, Tensor]:
        """Distribution of actions (n, actions) and values (n,)."""
        seen = self.normalise(observation)
        policy = torch.distributions.Normal(self.actor(seen), self.log_std.exp())
        return policy, self.critic(seen).squeeze(-1)


def network(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    """Two hidden layers, with orthogonal weights."""
    layers = [nn.Linear(inputs, 128), nn.ELU(), nn.Linear(128, 128), nn.ELU()]
    last = nn.Linear(128, outputs)
    nn.init.orthogonal_(last.weight, gain)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def train(args: argparse.Namespace) -> Agent:
    """Train for `args.steps` environment steps."""
    n, horizon, gamma, lam = args.num_envs, args.rollout, 0.985, 0.95
    envs = RecordEpisodeStatistics(
        gym.make_vec("grek/Walk-v0", num_envs=n, threads=args.threads, materials=args.materials)
    )
    size, actions = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    agent = Agent(size, actions)
    optimiser = torch.optim.Adam(agent.parameters(), args.learning_rate, eps=1e-5)
    seen = torch.as_tensor(envs.reset(seed=args.seed)[0])
    for update in range(max(args.steps // (n * horizon), 1)):
        rows: dict[str, list[Tensor]] = {
            k: [] for k in ("seen", "action", "log_prob", "value", "reward", "ended")
        }
        returns: list[float] = []
        with torch.no_grad():
            for _ in range(horizon):
                policy, value = agent(seen)
                action = policy.sample()
                after, reward, terminated, truncated, infos = envs.step(action.numpy())
                ended, paid = terminated | truncated, torch.as_tensor(reward, dtype=torch.float32)
                if truncated.any():  # the value of what would have followed
                    last = torch.as_tensor(infos["final_obs"][truncated].astype(np.float32))
                    paid[torch.as_tensor(truncated)] += gamma * agent(last)[1]
                if "final_info" in infos:
                    returns += infos["final_info"].get("episode", {"r": ended[ended]})["r"].tolist()
                step = (seen, action, policy.log_prob(action).sum(-1), value, paid)
                for name, part in zip(rows, (*step, torch.as_tensor(ended)), strict=True):
                    rows[name].append(part)
                seen = torch.as_tensor(after)
            batch = {name: torch.stack(parts) for name, parts in rows.items()}
            advantage, later, following = torch.zeros(horizon, n), torch.zeros(n), agent(seen)[1]
            for t in reversed(range(horizon)):
                goes_on = 1 - batch["ended"][t].float()
                error = batch["reward"][t] + gamma * following * goes_on - batch["value"][t]
                advantage[t] = later = error + gamma * lam * goes_on * later
                following = batch["value"][t]
            batch |= {"advantage": advantage, "return": advantage + batch["value"]}
        flat = {name: part.flatten(0, 1) for name, part in batch.items()}
        for _ in range(args.epochs):
            for picked in torch.randperm(n * horizon).chunk(args.minibatches):
                learn(agent, optimiser, {name: part[picked] for name, part in flat.items()})
        share = 1 / (update + 1)
        agent.mean += share * (flat["seen"].mean(0) - agent.mean)
        agent.variance += share * (flat["seen"].var(0) - agent.variance)
        print(
            f"update {update}: reward {batch['reward'].mean():.3f}, {len(returns)} episodes ended"
        )
    envs.close()
    return agent


def learn(agent: Agent, optimiser: torch.optim.Optimizer, rows: dict[str, Tensor]) -> None:
    """Take a step on a minibatch."""
    policy, value = agent(rows["seen"])
    ratio = (policy.log_prob(rows["action"]).sum(-1) - rows["log_prob"]).exp()
    better = (rows["advantage"] - rows["advantage"].mean()) / (rows["advantage"].std() + 1e-8)
    gain = torch.min(better * ratio, better * ratio.clamp(0.8, 1.2)).mean()
    loss = 0.5 * (value - rows["return"]).square().mean() - gain
    loss -= 0.006 * policy.entropy().sum(-1).mean()
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 1.0)
    optimiser.step()


def film(agent: Agent, folder: str, steps: int) -> None:
    """Film `steps` control steps of the mean action."""
    env = gym.make("grek/Walk-v0", render_mode="rgb_array", materials="dry_concrete")
    env = gym.wrappers.RecordVideo(env, folder)
    observation, _ = env.reset(seed=0)
    for _ in range(steps):
        with torch.no_grad():
            action = agent(torch.as_tensor(observation)[None])[0].mean[0].numpy()
        observation, *_ = env.step(action)
    env.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (
        ("--steps", 500_000),
        ("--num-envs", 64),
        ("--threads", 2),
        ("--rollout", 32),
        ("--epochs", 5),
        ("--minibatches", 4),
        ("--seed", 0),
        ("--film-steps", 250),
    ):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--materials", default="dry_concrete")
    parser.add_argument("--out", default="agent.pt")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.save(train(args).state_dict(), args.out)
    weights = torch.load(args.out, weights_only=True)
    agent = Agent(len(weights["mean"]), len(weights["log_std"]))
    agent.load_state_dict(weights)
    if args.film_steps:
        film(agent, "films", args.film_steps)
