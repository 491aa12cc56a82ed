"""MuJoCo engine plugin that applies the forces of deformable ground within each physics step.

MuJoCo calls an actuator plugin once per physics step, when poses and velocities are current and
applied forces (`xfrc_applied`) not yet read, on the thread that steps the world. So a batch
advances worlds on any ground by whole control steps in a single call.

A world's `userdata` holds the address of a record of CONTEXT and its index; zeros are a world
without deformable ground, such as a copy of the model in somebody else's simulation. The first
`mjData` of a world that is evaluated owns its ground: a copy of it feels the forces that it was
copied with and changes nothing. Each evaluation of the actuation stage is a physics step.
"""

import ctypes
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numba import carray, types
from numpy.typing import NDArray

from grek.envs.ground.kernels import callback, kernel, pointer
from grek.envs.ground.sinking import Sinking
from grek.envs.ground.soil import LAW, STATE
from grek.envs.ground.soles import ACROSS, ALONG, ELEMENTS, TREAD, UNDER, Soles, push
from grek.envs.robots import Layout

NAME = "grek.ground"
USERDATA = 2  # numbers per world: address of the context, index of the world
_ACTUATOR = 1  # mjPLUGIN_ACTUATOR
_WORDS = 2**16  # words of 8 bytes in which the pointers of `mjData` are looked for
_READ = ("userdata", "xpos", "xmat", "xipos", "cvel", "subtree_com", "xfrc_applied")

CONTEXT = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("worlds", "feet", "slots", "base"),
            *("soft", "bodies", "owners"),  # addresses from here on
            *Soles._fields,
        )
    ]
)
"""Sizes, body id of the base, and addresses of all arrays of the soles of a simulation."""


def _offsets() -> tuple[int, ...]:
    """Offsets [bytes] of the pointers _READ in the C structure `mjData`.

    A pointer is found by its value, in a model in which none of these fields is empty. An empty
    field has the value of the one after it, so the last of equal neighbours is the one.
    """
    text = "<mujoco><size nuserdata='1'/><worldbody><body><freejoint/><geom size='1'/></body>"
    data = mujoco.MjData(mujoco.MjModel.from_xml_string(text + "</worldbody></mujoco>"))
    words = (ctypes.c_uint64 * _WORDS).from_address(data._address)
    found = []
    for name in _READ:
        value = getattr(data, name)
        places = (at for at in range(_WORDS - 1) if words[at] == value.ctypes.data)
        at = next(places, None)
        if at is None or value.dtype != np.float64:
            raise RuntimeError(f"mjData.{name} of this build of MuJoCo cannot be read")
        while words[at + 1] == words[at]:
            at += 1
        found.append(8 * at)
    return tuple(found)


_USERDATA, _XPOS, _XMAT, _XIPOS, _CVEL, _CENTRE, _FORCE = _offsets()


def context_of(
    sinking: Sinking, layout: Layout, owners: NDArray[np.int64]
) -> tuple[NDArray[np.void], Any]:
    """Record of CONTEXT (1,), and what must live as long as it does.

    `owners` (n,) gets the address of each world's `mjData`, in the first evaluation.
    """
    soles, record = sinking.soles, np.zeros(1, CONTEXT)
    worlds, slots = soles.law.shape
    record["worlds"], record["feet"], record["slots"] = worlds, len(soles.below), slots
    record["base"] = layout.base
    record["soft"], record["bodies"] = sinking.soft.ctypes.data, layout.feet.ctypes.data
    record["owners"] = owners.ctypes.data
    for name in Soles._fields:
        record[name] = getattr(soles, name).ctypes.data
    return record, (soles, sinking.soft, layout.feet, owners)


@kernel
def _address(at: int) -> Any:
    return carray(pointer(at), (1,), np.int64)[0]


@callback(types.void, types.int64, types.int64, types.int32, types.int32)
def _compute(model: int, data: int, instance: int, capability: int) -> None:
    """Write the wrench of the ground on each foot of the world of `data`."""
    user = carray(pointer(_address(data + _USERDATA)), (USERDATA,), np.float64)
    if user[0] == 0.0:
        return
    c, w = carray(pointer(np.int64(user[0])), (1,), CONTEXT)[0], np.int64(user[1])
    n, feet = c.worlds, c.feet
    owners = carray(pointer(c.owners), (n,), np.int64)
    if owners[w] == 0:
        owners[w] = data
    if owners[w] != data:
        return
    if not carray(pointer(c.soft), (n,), np.uint8)[w]:
        return
    soles = Soles(
        carray(pointer(c.along), (feet, ALONG), np.float64),
        carray(pointer(c.across), (feet, ACROSS), np.float64),
        carray(pointer(c.below), (feet,), np.float64),
        carray(pointer(c.frame), (n, feet, 3, 3), np.float64),
        carray(pointer(c.origin), (n, feet, 3), np.float64),
        carray(pointer(c.under), (n, feet, ELEMENTS), UNDER),
        carray(pointer(c.law), (n, c.slots), LAW),
        carray(pointer(c.state), (n, feet, ELEMENTS), STATE),
        carray(pointer(c.tread), (n, feet, ELEMENTS), TREAD),
        carray(pointer(c.load), (n, feet), np.float64),
    )
    bodies = carray(pointer(c.bodies), (feet,), np.int64)
    centre = carray(pointer(_address(data + _CENTRE) + 24 * c.base), (3,), np.float64)
    for f in range(feet):
        b = bodies[f]
        origin = carray(pointer(_address(data + _XPOS) + 24 * b), (3,), np.float64)
        turn = carray(pointer(_address(data + _XMAT) + 72 * b), (3, 3), np.float64)
        mass = carray(pointer(_address(data + _XIPOS) + 24 * b), (3,), np.float64)
        twist = carray(pointer(_address(data + _CVEL) + 48 * b), (6,), np.float64)
        wrench = carray(pointer(_address(data + _FORCE) + 48 * b), (6,), np.float64)
        # Spatial velocity is at the centre of the tree, a force acts at the body's centre of mass.
        x, y, z = origin[0] - centre[0], origin[1] - centre[1], origin[2] - centre[2]
        linear = (
            twist[3] + (twist[1] * z - twist[2] * y),
            twist[4] + (twist[2] * x - twist[0] * z),
            twist[5] + (twist[0] * y - twist[1] * x),
        )
        push(soles, w, f, origin, turn, twist, linear, wrench)
        x, y, z = mass[0] - origin[0], mass[1] - origin[1], mass[2] - origin[2]
        wrench[3] -= y * wrench[2] - z * wrench[1]
        wrench[4] -= z * wrench[0] - x * wrench[2]
        wrench[5] -= x * wrench[1] - y * wrench[0]


@callback(types.int32, types.int64, types.int32)
def _no_state(model: int, instance: int) -> int:
    return 0


@callback(types.int32, types.int64, types.int64, types.int32)
def _begin(model: int, data: int, instance: int) -> int:
    return 0


@callback(types.void, types.int64, types.int64, types.int64, types.int32)
def _reset(model: int, state: int, data: int, instance: int) -> None:
    pass


class _Plugin(ctypes.Structure):
    """`mjpPlugin` of mjplugin.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("nattribute", ctypes.c_int),
        ("attributes", ctypes.c_void_p),
        ("capabilityflags", ctypes.c_int),
        ("needstage", ctypes.c_int),
        *(
            (function, ctypes.c_void_p)
            for function in (
                *("nstate", "nsensordata", "init", "destroy", "copy", "reset", "compute"),
                *("advance", "visualize", "actuator_act_dot", "sdf_distance", "sdf_gradient"),
                *("sdf_staticdistance", "sdf_attribute", "sdf_aabb"),
            )
        ),
    )


def add(spec: mujoco.MjSpec) -> None:
    """Add the plugin to `spec`, and USERDATA numbers at the front of its userdata."""
    spec.activate_plugin(NAME)
    spec.add_plugin(name=NAME, plugin_name=NAME, active=True)
    spec.nuserdata = max(spec.nuserdata, 0) + USERDATA


def _register() -> None:
    """Register the plugin with the MuJoCo library of this process."""
    files = sorted(Path(mujoco.__file__).parent.glob("*mujoco*"))
    library = ctypes.CDLL(
        str(next(file for file in files if {".so", ".dylib", ".dll"} & set(file.suffixes)))
    )
    library.mjp_getPlugin.restype = ctypes.c_void_p
    if library.mjp_getPlugin(NAME.encode(), None):
        return  # by another import of this module
    plugin = _Plugin(
        name=NAME.encode(),
        capabilityflags=_ACTUATOR,
        nstate=_no_state.address,
        init=_begin.address,
        reset=_reset.address,
        compute=_compute.address,
    )
    library.mjp_registerPlugin(ctypes.byref(plugin))


_register()
