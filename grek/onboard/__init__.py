"""A policy as the computer of a robot runs it, on NumPy and onnxruntime alone (docs/onboard.md).

`plant` and `replay` are the other side: they need the simulator.
"""

from grek.onboard.controller import Controller, Reading, gravity_of
from grek.onboard.policy import Policy, load

__all__ = ["Controller", "Policy", "Reading", "gravity_of", "load"]
