"""Subcommand that trains."""

from dataclasses import dataclass

from grek.training.config import TrainConfig


@dataclass(frozen=True)
class Train(TrainConfig):
    """Train a policy with PPO and write it to policy.onnx in the run directory.

    Ctrl-C saves a checkpoint and the policy; --resume continues from them.
    """

    def run(self) -> int:
        """Train and print the path of the policy."""
        from grek.training.train import train

        if self.film_every is not None:
            from grek.eval.films.film import check_filming

            check_filming()
        run = train(self)
        print(f"policy: {run / 'policy.onnx'}")
        return 0
