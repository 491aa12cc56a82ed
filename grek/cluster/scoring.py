"""Scoring on a cluster: a suite in shards, each a Ray task, done again if its worker dies."""

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from grek import extensions
from grek.cluster.watch import LOOK, watching
from grek.envs.network import locate
from grek.envs.scenarios.scenario import Scenario
from grek.envs.scenarios.spaces import parse
from grek.errors import InputError
from grek.eval.scores import evaluate, policies

SHARD = 64  # scenarios of a task
RETRIES = 20  # after which a shard whose workers die, or whose nodes do, is given up


def elsewhere(ray: Any, address: str, policy: str, threads: int = 1) -> evaluate.Elsewhere:
    """Runner of the batches of `evaluate.score` on the cluster at `address`, connected to `ray`.

    Each is a task of `threads` cores. Twice as many as have cores are under way, so that memory
    does not grow with their number.
    """
    policies.load(policy)  # refused here, not there
    reference = policy in policies.REFERENCES or policy.startswith(policies.MOTION)
    path = None if reference else locate(policy)
    content = ray.put(path and path.read_bytes())
    task = ray.remote(num_cpus=threads, max_retries=RETRIES, scheduling_strategy="SPREAD")(shard)

    def run(batches: Iterator[Sequence[Scenario]]) -> Iterator[list[dict[str, Any]]]:
        with watching(ray, address, 1, threads) as watch:
            if not watch.room:
                said = f"no machine of {watch.name} has so many cores"
                raise InputError(f"--threads {threads}: {said}")
            under_way: deque[Any] = deque()
            while True:
                more = max(2 * watch.room, 1) - len(under_way)
                for batch in itertools.islice(batches, max(more, 0)):
                    names = [scenario.name for scenario in batch]
                    under_way.append(task.remote(policy, content, names, threads))
                if not under_way:
                    return
                while not ray.wait([under_way[0]], timeout=LOOK)[0]:
                    watch.look()
                watch.heard()
                yield _episodes(ray, under_way.popleft())

    return run


def _episodes(ray: Any, done: Any) -> list[dict[str, Any]]:
    """Episodes of the task `done`; raises InputError if it failed."""
    try:
        episodes: list[dict[str, Any]] = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise InputError(f"a shard failed: {error.cause}") from None
    except ray.exceptions.RayError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"a shard was lost {RETRIES} times: {reason}") from None
    return episodes


def shard(
    policy: str, content: bytes | None, names: list[str], threads: int
) -> list[dict[str, Any]]:
    """Episodes of the scenarios `names`; `content` is that of the policy's file, if it has one."""
    extensions.load()
    loaded = (
        policies.load(policy) if content is None else policies.from_onnx(content, policy, policy)
    )
    scenarios = [parse(name, loaded.task.robot) for name in names]
    return evaluate.measured(loaded, scenarios, threads)
