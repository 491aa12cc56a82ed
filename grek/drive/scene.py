"""Scene of the page: light, the droid, and the ground, which moves under a camera that does not."""

import math
from collections.abc import Callable

import numpy as np
import viser

from grek.assets.textures import HAZE, SUN
from grek.drive.droid import Droid
from grek.drive.floor import Floor
from grek.drive.looks import Looks
from grek.envs.rendering.picture import FOLLOW, TURN
from grek.envs.rendering.world_ground import WorldGround
from grek.envs.vectors import Array

ROOT = "/world"
HAZE_8 = (int(255 * HAZE[0]), int(255 * HAZE[1]), int(255 * HAZE[2]))


class Scene:
    """Picture of `droid`; `click` is called, on a thread of the server, with the origin (3,) [m]
    and the direction (3,) of the ray through a click, for `away`."""

    def __init__(
        self, server: viser.ViserServer, droid: Droid, click: Callable[[Array, Array], None]
    ) -> None:
        self._server = server
        scene = server.scene
        scene.configure_default_lights(enabled=False)
        scene.configure_environment_map(None)
        scene.configure_fog(near=5, far=30, color=HAZE_8)
        scene.set_background_image(np.full((4, 4, 3), HAZE_8, np.uint8))
        scene.add_light_hemisphere(
            "/sky", sky_color=(226, 236, 250), ground_color=(150, 140, 130), intensity=2.2
        )
        scene.add_light_directional(
            "/sun", color=(255, 244, 228), intensity=2.8, cast_shadow=True, position=tuple(4 * SUN)
        )
        camera = server.initial_camera
        camera.position, camera.look_at, camera.fov = (1.5, -1.15, 0.62), (0, 0, 0.22), 0.62
        self._root = scene.add_frame(ROOT, show_axes=False)
        self._looks = Looks(droid.policy.task.robot)
        self._bodies = []
        for name, data in self._looks.meshes():
            self._bodies.append(scene.add_glb(f"{ROOT}/droid/{name}", data))
        self._floor = Floor(scene, ROOT)

        # Clicks on nodes would outline what the pointer is over, whose shader fails in fog.
        @scene.on_click()
        def clicked(event: viser.SceneClickEvent) -> None:
            click(np.array(event.ray_origin, float), np.array(event.ray_direction, float))

        self._at = np.zeros(3)  # where the camera looks [m]
        self._yaw = 0.0  # of the world on the page [rad]

    def restart(self, droid: Droid) -> None:
        """Show the ground of `droid` anew, and look at it at once."""
        self.refresh(droid)
        self._at = np.array([*droid.qpos[:2], self._height(droid)])

    def refresh(self, droid: Droid) -> None:
        """Show the ground of `droid` anew."""
        self._ground = WorldGround(droid.batch.simulation)
        self._floor.show(self._ground)

    def draw(self, droid: Droid, elapsed: float, turns: bool) -> None:
        """Show `droid`, `elapsed` [s] after the last time; the world `turns` to face it away."""
        share = -math.expm1(-elapsed / FOLLOW)
        target = np.array([*droid.qpos[:2], self._height(droid)])
        self._at += (target - self._at) * share
        cos, sin = droid.state.heading[0] if turns else (1.0, 0.0)
        turn = (-math.atan2(sin, cos) - self._yaw + math.pi) % (2 * math.pi) - math.pi
        self._yaw += turn * -math.expm1(-elapsed / TURN)
        cos, sin = math.cos(self._yaw), math.sin(self._yaw)
        x, y, z = self._at
        positions, quaternions = self._looks.poses(droid.qpos)
        with self._server.atomic():
            self._root.position = (sin * y - cos * x, -sin * x - cos * y, -z)
            self._root.wxyz = (math.cos(self._yaw / 2), 0.0, 0.0, math.sin(self._yaw / 2))
            for body, position, quaternion in zip(
                self._bodies, positions, quaternions, strict=True
            ):
                body.position, body.wxyz = position, quaternion

    def lay(self, droid: Droid) -> None:
        """Lay at most one piece of ground."""
        state = droid.state
        self._floor.follow(state.position_w[0, :2], state.foot_w[0, :, :2])

    def _height(self, droid: Droid) -> float:
        return float(self._ground.height(droid.qpos[None, :2])[0])

    def away(self, origin: Array, direction: Array) -> Array | None:
        """Horizontal unit vector (2,) of the simulated world along a ray of the page that meets
        the droid as it was drawn last, else None."""
        cos, sin = math.cos(self._yaw), math.sin(self._yaw)
        to_world = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        ray = to_world @ direction
        length = math.hypot(*ray[:2])
        if length < 1e-6 or not self._looks.meets(to_world @ origin + self._at, ray):
            return None
        return np.asarray(ray[:2] / length)
