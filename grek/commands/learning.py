"""Subcommand that trains."""

from dataclasses import dataclass, fields

from grek.errors import InputError
from grek.training.config import TrainConfig


@dataclass(frozen=True)
class Train(TrainConfig):
    """Train a policy with PPO and write it to policy.onnx in the run directory.

    Ctrl-C saves a checkpoint and the policy; --resume continues from them.
    """

    cluster: str = ""
    """Ray cluster to train on, HOST:PORT, or "local" for one on this machine (docs/cluster.md).
    The run directory must lie on storage that all its machines share."""
    workers: int = 0
    """Processes to train in on the cluster, each with --threads cores, 1 by default."""

    def run(self) -> int:
        """Train and print the path of the policy."""
        config = TrainConfig(**{f.name: getattr(self, f.name) for f in fields(TrainConfig)})
        if bool(self.cluster) != bool(self.workers):
            raise InputError("--cluster ADDRESS and --workers N go together")
        if self.cluster and self.processes:
            raise InputError("--processes is for one machine; on a cluster it is --workers")
        if self.film_every is not None:
            from grek.eval.films.film import check_filming

            check_filming()
        if self.cluster:
            from grek.cluster.training import train

            run = train(config, self.cluster, self.workers)
        else:
            from grek.training.parallel.launcher import launch

            run = launch(config)
        print(f"policy: {run / 'policy.onnx'}")
        return 0
