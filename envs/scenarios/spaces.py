"""Scenario spaces: training, tuning, held-out and solver variations.

A space is an ordered list of contexts (rows of a scorecard) over common ranges; each context
changes one axis, so its row measures the effect of that axis. A scenario is named
SPACE/CONTEXT:INDEX, for example train/sand:41 or heldout/slope-far:7. Each of its factors is the
quantile of the factor's distribution at a hash of space, context, index and factor name. Given the
distributions and the robot's number of joints, the name therefore determines the scenario, and a
new material, shape, axis or factor changes no existing draw.

A registered material or shape becomes a context of its own. The materials and shapes drawn in all
other contexts are fixed lists, `Ranges.materials` and `Ranges.shapes`.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grek.envs.ground.materials import MATERIALS
from grek.envs.ground.shapes import SHAPES
from grek.envs.registry import Registry
from grek.envs.robots import GREK, Robot
from grek.envs.scenarios import ranges, space_file, stage
from grek.envs.scenarios.draw import drawn
from grek.envs.scenarios.links import LINKS
from grek.envs.scenarios.ranges import Ranges
from grek.envs.scenarios.scenario import DRAKE, MUJOCO, Context, Scenario
from grek.errors import InputError

TRAINING_SCENARIOS = 300_000  # largest number in training, over all contexts of a space
FIRST_EVALUATED = 300_000  # index in every context from which evaluation draws
_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:/([a-z0-9_-]+))?:([0-9]{1,18})")


def _trained() -> dict[Context, Mapping[str, Any]]:
    """Contexts of training: trained materials, and registered shapes not in `Ranges.shapes`."""
    listed = {kind for kinds in ranges.TRAIN.shapes for kind in kinds}
    own = [Context("shape", name) for name in SHAPES if name not in listed]
    return {
        **{Context("material", m.name): {} for m in MATERIALS.values() if m.trained},
        **{context: {"shapes": {(context.value,): 1.0}} for context in own},
    }


def _held_out() -> dict[Context, Mapping[str, Any]]:
    """Held-out contexts: materials, then each axis near (just outside training) and far."""
    found: dict[Context, Mapping[str, Any]] = {
        Context("material", m.name): {"mixed": 0.0} for m in MATERIALS.values() if not m.trained
    }
    for kind in SHAPES.values():
        for zone, size in (("near", kind.near), ("far", kind.far)):
            found[Context(kind.name, zone)] = {
                "shapes": {(kind.name,): 1.0},
                "sizes": {kind.name: size},
            }
    for axis, (change, near, far) in ranges.AXES.items():
        found[Context(axis, "near")], found[Context(axis, "far")] = change(near), change(far)
    return found


def _everywhere() -> dict[Context, Mapping[str, Any]]:
    """Contexts of training and held-out contexts together."""
    return {**_trained(), **_held_out()}


def _tuning() -> dict[Context, Mapping[str, Any]]:
    """Contexts to choose settings on: trained materials and difficult ends of training ranges."""
    return {
        **{Context("material", m.name): {} for m in MATERIALS.values() if m.trained},
        **{Context("hard", name): changes for name, changes in ranges.HARD.items()},
    }


def _numerics() -> dict[Context, Mapping[str, Any]]:
    """Contexts of solver settings."""
    return {Context("numerics", name): {"numerics": s} for name, s in ranges.NUMERICS.items()}


def _engines() -> dict[Context, Mapping[str, Any]]:
    """Contexts of engines: ground that Drake can follow, in each of them."""
    return {
        Context(ground, engine): {"mixed": 0.0, **changes}
        for ground, changes in ranges.GROUNDS.items()
        for engine in (MUJOCO, DRAKE)
    }


def engine_of(scenario: Scenario) -> str:
    """Name of the engine that moves the bodies of `scenario` unless another is asked for."""
    return scenario.context.value if scenario.space == "engines" else MUJOCO


def _faults() -> dict[Context, Mapping[str, Any]]:
    """Contexts of links between body and computer, in worlds as trained."""
    return {Context("link", name): {} for name in LINKS}


@dataclass(frozen=True)
class Space:
    """A named family of scenarios."""

    name: str
    listed: Callable[[], Mapping[Context, Mapping[str, Any]]] = field(repr=False)
    """Contexts in order, each with the fields of `base` it replaces; reads the registries anew."""
    any_material: bool = False
    """Accept held-out materials as contexts, too."""
    same_worlds: bool = False
    """Make scenario i the same world in all contexts, for paired comparison of contexts."""
    base: Ranges | None = None
    """Ranges that contexts change; None for TRAIN."""

    @property
    def contexts(self) -> tuple[Context, ...]:
        """Contexts in order, the rows of a scorecard."""
        return tuple(self.listed())

    def context(self, slug: str) -> Context:
        """Context with this slug; raises InputError naming the known ones."""
        contexts = {context.slug: context for context in self.contexts}
        if slug not in contexts and self.any_material and slug in MATERIALS:
            return Context("material", slug)
        if slug not in contexts:
            raise InputError(
                f"unknown context {slug!r} of {self.name}; there are: {', '.join(contexts)}"
            )
        return contexts[slug]

    def draw(self, context: Context, index: int, robot: Robot = GREK) -> Scenario:
        """Scenario `index` (>= 0) of `context`; `robot` sets the number of encoder offsets."""
        key = self.name, "" if self.same_worlds else context.slug, index
        name = f"{self.name}/{context.slug}:{index}"
        return drawn(self.ranges(context), key, context, name, len(robot.joints))

    def ranges(self, context: Context) -> Ranges:
        """Ranges of a context."""
        return dataclasses.replace(self.base or ranges.TRAIN, **self.listed().get(context, {}))

    def numbered(self, number: int, robot: Robot = GREK) -> Scenario:
        """Scenario of the short form SPACE:NUMBER, which cycles through the contexts.

        Its meaning changes when a context is added; that of a full name does not.
        """
        contexts = self.contexts
        index, context = divmod(number, len(contexts))
        return self.draw(contexts[context], index, robot)


SPACES = Registry(
    "space",
    Space("train", _trained, any_material=True),
    Space("tune", _tuning),
    Space("heldout", _held_out),
    Space("numerics", _numerics, same_worlds=True),
    Space("everywhere", _everywhere),
    Space("faults", _faults, same_worlds=True),
    Space("engines", _engines, same_worlds=True),
    Space("stage", stage.trained),
    Space("tour", stage.touring),
    Space("transitions", stage.transitions),
)


def space(name: str) -> Space:
    """Space `name`, or that of the file `name`, whose name ends in .toml (docs/identify.md).

    A file's space is known by its own name from then on. Raises InputError for an unknown name, a
    malformed file, or one whose space has the name of another.
    """
    return from_file(Path(name)) if name.endswith(".toml") else SPACES.named(name)


def from_file(path: Path) -> Space:
    """Space of the file `path`, as `space` says."""
    found = space_file.read(path)
    known = SPACES.get(found.name)
    if known is None:
        contexts: dict[Context, Mapping[str, Any]] = {
            Context("material", name): {} for name in found.ranges.materials
        }
        known = Space(found.name, lambda: contexts, any_material=True, base=found.ranges)
        return SPACES.register(known)
    if known.base != found.ranges:
        raise InputError(f"{path}: its name is {found.name!r}, but another space has that name")
    return known


TRAINABLE = ("train", "everywhere", "stage")
"""Spaces to train in. A policy that trained "everywhere" has met the held-out ranges, in worlds of
its own: what another loses against it on held-out rows is lack of transfer, not difficulty."""

GROUPS = ("materials", "shapes", "bodies", "commands", "disturbances")
"""Kinds of held-out axes, whose losses are averaged apart."""
_GROUP = {
    **dict.fromkeys(("material", "friction"), "materials"),
    **dict.fromkeys(("payload", "mass_centre", "head"), "bodies"),
    **dict.fromkeys(("strength", "stiffness", "delay", "sensors"), "bodies"),
    "speed": "commands",
    "pushes": "disturbances",
}


def command_ranges(name: str) -> tuple[tuple[float, float], ...]:
    """Smallest and largest vx, vy [m/s] and yaw rate [rad/s] commanded in any context of a space.

    Raises InputError for an unknown space.
    """
    found = space(name)
    contexts = [found.ranges(context) for context in found.contexts]
    columns = [(c.forward, c.sideways, c.yaw_rate) for c in contexts]
    return tuple(
        (min(d.low for d in column), max(d.high for d in column))
        for column in zip(*columns, strict=True)
    )


def axis_group(axis: str) -> str:
    """Member of GROUPS that a held-out axis belongs to; a registered shape is a shape."""
    return _GROUP.get(axis, "shapes")


_INSIDE = (Context("material", "wood"), Context("friction", "near"))
"""Held-out rows within training in effect: wood is concrete of another friction, 5 in 6 draws
within its range, and the film of wet concrete reaches the friction of the other in fast slip."""
_FAR = ("ice", "snow", "mud", "wet_leaves", "soft_contact", "pyramidal", "far")


def parse(text: str, robot: Robot = GREK) -> Scenario:
    """Scenario named SPACE/CONTEXT:INDEX, or SPACE:NUMBER for short; #SCRIPT after it is its acts.

    SPACE may be a file, FILE.toml. Raises InputError for another format, an unknown space or
    context, or a script at fault.
    """
    if isinstance(text, str) and "#" in text:
        name, _, script = text.partition("#")
        return stage.scripted(parse(name, robot), script)
    if isinstance(text, str) and (end := text.find(".toml")) > 0:
        text = space(text[: end + 5]).name + text[end + 5 :]
    found = _NAME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise InputError(f"scenario {text!r} is not SPACE/CONTEXT:INDEX, for example train/sand:41")
    name, slug, index = found.groups()
    drawn = space(name)
    if slug is None:
        return drawn.numbered(int(index), robot)
    return drawn.draw(drawn.context(slug), int(index), robot)


def zone(space: str, context: Context) -> str | None:
    """Distance of a row from the training ranges: "inside", "near" (just outside) or "far".

    The tuning space lies inside: settings are chosen on it, never on a space that measures
    transfer. So do held-out rows that differ from training in name but hardly in effect. None for
    rows of the numerics space that average over solver settings, and for spaces of files.
    """
    if space in SPACES and SPACES[space].base is not None:
        return None
    if (
        space in ("train", "tune", "everywhere", "stage", "transitions")
        or context.value in ("as_trained", MUJOCO)
        or context in _INSIDE
    ):
        return "inside"
    if space == "numerics" and context.axis != "numerics":
        return None  # a material, averaged over solver settings
    return "far" if context.value in _FAR else "near"
