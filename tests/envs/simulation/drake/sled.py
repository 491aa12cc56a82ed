"""A sled with a flywheel, for closed forms in both engines."""

from pathlib import Path

from grek.envs.ground import materials
from grek.envs.ground.shapes import Shape, ShapePart
from grek.envs.ground.surface import Surface
from grek.envs.robots import Foot, Robot
from grek.envs.scenarios.scenario import Scenario
from grek.envs.simulation.simulation import Simulation

MASS = 15.0  # of box and wheel [kg]
FRICTION, STATIC = 0.2, 0.2  # of the wheel's motor [N m]
WHEEL, ARMATURE, BOX = 0.02, 0.005, 0.2  # moments of inertia about the vertical [kg m^2]
_CORNERS = [(x, y) for x in (-0.15, -0.05, 0.05, 0.15) for y in (-0.1, 0.1)]
POINTS = {f"point_{i}": place for i, place in enumerate(_CORNERS)}
_SOLES = "".join(
    f'<geom name="{name}" type="sphere" size=".018" pos="{x} {y} -.02" mass="0"/>'
    for name, (x, y) in POINTS.items()
)
MODEL = f"""
<mujoco>
  <option timestep="0.005" integrator="implicitfast" cone="elliptic" impratio="3"/>
  <default><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <body name="sled" pos="0 0 0.038">
      <freejoint/>
      <inertial pos="0 0 0" mass="14" diaginertia="{BOX} {BOX} {BOX}"/>
      <geom name="box" type="box" size=".17 .12 .02" mass="0"/>
      {_SOLES}
      <site name="imu"/>
      <body name="wheel" pos="0 0 0">
        <joint name="wheel" axis="0 0 1" armature="{ARMATURE}"/>
        <inertial pos="0 0 0" mass="1" diaginertia="{WHEEL} {WHEEL} {WHEEL}"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <dcmotor joint="wheel" input="pos" nominal="24 50 20" saturation="30" controller="0 0 0 0 0 24"
      nsample="12" lugre="40 0.1 {FRICTION} {STATIC} 0.01"/>
  </actuator>
</mujoco>
"""


def sled(folder: Path) -> Robot:
    """The robot, its model in `folder`."""
    path = folder / "sled.xml"
    path.write_text(MODEL)
    return Robot(
        name="sled",
        model=path,
        joints=("wheel",),
        home=(0.0,),
        feet=(Foot("sled", tuple(POINTS), (0.3, 0.2), (0.0, 0.0, -0.038)),),
        stand_height=0.038,
        mass=MASS,
        base="sled",
        body_geoms=("box",),
    )


def ground(friction: float, rise: float = 0.0) -> Scenario:
    """Rigid ground of `friction`, rising along x by `rise` [m/m]."""
    row = materials.material("dry_concrete").nominal()
    row[materials.index("friction")] = friction
    shape: Shape = (ShapePart("slope", {"rise": rise, "heading": 0.0}),) if rise else ()
    return Scenario(shape=shape, surface=Surface(("dry_concrete",), (tuple(row.tolist()),)))


def world(robot: Robot, engine: str, scenario: Scenario) -> Simulation:
    """`robot` in `scenario`."""
    simulation = Simulation(1, robot=robot, engine=engine)
    simulation.reset([0], [scenario])
    return simulation
