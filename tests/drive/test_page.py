"""The page over its sockets: driving, two visitors, other worlds, files, strangers.

Nothing here waits for a time: every wait is for a state that the page is told.
"""

import asyncio
import json
import urllib.error
import urllib.request

import msgspec
import numpy as np
import pytest
from viser import _messages
from websockets.exceptions import InvalidStatus

from grek.drive import dials
from grek.drive.panel import literal
from grek.drive.server import Buffer
from grek.envs.rendering.canvas import check_rendering
from grek.envs.scenarios.scenario import from_plain
from grek.errors import InputError

from .client import attempt, visiting


def standing(visitor) -> None:
    """Wait until the droid is told to stand and does."""
    visitor.wait(lambda: visitor.news.get("command") == [0, 0, 0, 0, 0], "a standing droid")


def test_held_keys_walk_and_a_release_stops(drive):
    running = drive()
    with visiting(running.address) as one:
        one.wait(lambda: one.kinds.get("GlbMessage", 0) > 15, "droid and ground")
        one.hold("KeyW")
        one.wait(lambda: one.news["driver"] == one.news["you"], "the wheel")
        one.wait(lambda: one.news["position"][0] > 0.4, "0.4 m ahead")
        one.hold()
        standing(one)
        assert one.news["driver"] is None
        assert one.news["dropped"] == 0
        one.hold("KeyD", "ArrowLeft")
        one.wait(lambda: one.news["command"][2:] == [-0.7, 0, 0.9], "a turn and a look")


def test_sliders_walk_and_stand_sets_them_back(drive):
    running = drive()
    with visiting(running.address) as one:
        one.set("Forward [m/s]", 0.3)
        one.wait(lambda: one.news.get("command", [0])[0] == 0.3, "the command")
        one.press("Stand")
        standing(one)
        slider = one.controls["Forward [m/s]"]
        one.wait(lambda: one.values.get(slider, {}).get("value") == 0, "the slider at 0")


def test_two_share_one_droid_and_who_leaves_lets_go(drive):
    running = drive()
    with visiting(running.address) as two:
        with visiting(running.address) as one:
            one.wait(lambda: one.news.get("visitors") == 2, "both visitors")
            one.hold("KeyW")
            two.wait(lambda: two.news.get("driver") == one.news["you"], "the first at the wheel")
            two.hold("KeyS")
            one.wait(lambda: one.news["command"][0] == 0.5, "the first one's command")
            assert two.news["held"] == ["KeyW"]
            assert two.news["you"] != one.news["you"]
            one.close(politely=False)
        two.wait(lambda: two.news["driver"] == two.news["you"], "the second at the wheel")
        two.wait(lambda: two.news["command"][0] == -0.3, "the second one's command")
        assert two.news["visitors"] == 1


def test_the_ground_changes_under_a_walking_droid(drive):
    running = drive()
    with visiting(running.address) as one:
        one.hold("KeyW")
        one.wait(lambda: one.news.get("position", [0])[0] > 0.2, "a walk")
        before = one.news
        one.set("Material", "sand")
        one.wait(lambda: one.news["material"] == "sand", "sand")
        at = one.news["position"][0]
        assert at >= before["position"][0] - 0.05, "it has not begun again"
        assert one.news["scenario"] == dials.NAME
        one.wait(lambda: one.news["position"][0] > at + 0.2 or one.news["falls"], "a walk on sand")
        friction = one.controls["Friction"]
        one.wait(lambda: one.values.get(friction, {}).get("value") == 0.58, "sand's own friction")
        one.set("Mixed with", "snow")
        one.set("slope [%]", 4.0)
        one.set("Payload [kg]", 1.0)
        session = running.session
        one.wait(lambda: session.droid.scenario.body.payload == 1.0, "a payload")
        assert session.droid.scenario.surface.materials == ("sand", "snow")
        assert session.droid.scenario.shape[0].values["rise"] == pytest.approx(0.04)


def test_a_world_that_cannot_be_is_said_and_taken_back(drive):
    running = drive()
    session = running.session
    numerics = dials.replace(session.droid.scenario.numerics, timestep=0.0025)
    with visiting(running.address) as one:
        session._asked.put(
            (session._change, (dials.replace(session.droid.scenario, numerics=numerics),))
        )
        one.wait(lambda: session.droid.scenario.numerics == numerics, "a finer time step")
        one.set("Motors late [ms]", 39.0)
        one.wait(lambda: "motor delay" in one.news["said"], "the reason")
        slider = one.controls["Motors late [ms]"]
        one.wait(lambda: one.values.get(slider, {}).get("value") == 0, "the dial as it was")


def test_a_fall_says_why_and_begins_again(drive):
    running = drive("ice")
    with visiting(running.address) as one:
        one.set("Strength [m/s]", 1.0)
        one.set("Sensors late [ms]", 60.0)
        one.wait(lambda: running.session.droid.scenario.sensors.delay == 3, "late sensors")
        seen = set()

        def fallen():
            seen.add(one.news["said"])
            return one.news["falls"] >= 1

        one.wait(lambda: one.news.get("step", 0) > 20, "a start")
        while not fallen():
            one.tap("KeyP")
            step = one.news["step"]
            one.wait(lambda: one.news["step"] > step + 10, "some steps")  # noqa: B023
        one.wait(lambda: fallen() and not one.news["fell"], "a new beginning")
        assert any(said.startswith("fell: ") and "on ice" in said for said in seen)


def test_a_click_on_the_droid_pushes_it_away(drive):
    """By the strength of the slider, along the horizontal part of the ray; a tenth of a second."""
    running = drive()
    session = running.session
    with visiting(running.address) as one:
        one.set("Strength [m/s]", 0.2)
        one.wait(lambda: session.panel.strength == 0.2, "strength")

        def click(target):
            """A ray from 5 m away, of which 3 along x and 4 along y, that falls by 1 m."""
            one.send(
                type="ScenePointerMessage",
                event_type="click",
                ray_origin=(3.0, 4.0, target + 1.0),
                ray_direction=(-3.0, -4.0, -1.0),
                screen_pos=[(0.5, 0.5)],
                modifier=None,
            )

        hips = float(session.droid.qpos[2])
        click(hips + 0.5)  # over its head
        click(hips)
        one.wait(lambda: session._push.any(), "a push")
        assert session._push == pytest.approx([-1.2, -1.6])  # 0.2 m/s in 0.1 s
        assert one.news["dropped"] == 0


def test_a_click_meets_the_droid_where_the_page_shows_it(drive):
    """The world is turned by 90 degrees and moved so that the droid, at (2, 1), is in the middle:
    a ray of the page along -x then runs along +y."""
    scene = drive().session.scene
    qpos = scene._looks._model.qpos0.copy()
    qpos[:3] = (2.0, 1.0, 0.4)
    scene._looks.poses(qpos)
    scene._at, scene._yaw = np.array([2.0, 1.0, 0.0]), np.pi / 2
    along = np.array([-1.0, 0.0, 0.0])
    assert scene.away(np.array([3.0, 0.0, 0.4]), along) == pytest.approx([0.0, 1.0])
    assert scene.away(np.array([3.0, 0.6, 0.4]), along) is None
    assert scene.away(np.array([0.0, 0.0, 3.0]), np.array([0.0, 0.0, -1.0])) is None


def test_skills_are_buttons_and_keys_walk(drive):
    """What is commanded waits, and gives way to what is commanded after it; a key that is released
    takes back a walk, no other skill. On level concrete these references hold without feedback."""
    running = drive(policy="motion")
    show = running.session.droid.show
    with visiting(running.address) as one:
        one.wait(lambda: one.news.get("skill") == "stand", "a standing droid")
        one.press("Sit")
        one.wait(lambda: one.news["skill"] == "sit", "a seat")
        one.hold("KeyW")
        one.wait(lambda: "walk waits until it has stood up" in one.news["skill"], "what waits")
        assert show.acts(0)[-1].values == {"forward": 0.5, "left": 0.0, "turn": 0.0}
        one.set("Jump: height [m]", 0.03)
        one.press("Jump")
        one.wait(lambda: "jump waits" in one.news["skill"], "another one that waits")
        one.hold()
        one.wait(lambda: one.news["skill"] == "jump", "a jump")
        assert show.acts(0)[-1].values == {"height": 0.03, "forward": 0.0, "turn": 0.0}
        assert one.news["command"] == [0, 0, 0, 0, 0]
        one.tap("Space")
        one.wait(lambda: one.news["skill"] == "stand", "a standing droid")
        one.set("Dance: motion", "lullaby")
        one.press("Dance")
        one.wait(lambda: one.news["skill"].startswith("dance lullaby, beat"), "a dance")
        one.press("Save this world")
        saved = from_plain(json.loads(one.wait(lambda: one.files.get("world.json"), "the file")))
        assert [act.skill for act in saved.acts] == ["stand", "sit", "jump", "stand", "dance"]
        assert (one.news["dropped"], one.news["falls"]) == (0, 0)


def test_a_saved_world_is_the_present_one(drive):
    running = drive("gravel")
    with visiting(running.address) as one:
        one.set("Puddles", 0.0)
        one.set("relief [mm]", 9.0)
        one.wait(lambda: one.news.get("scenario") == dials.NAME, "another world")
        one.press("Save this world")
        text = one.wait(lambda: one.files.get("world.json"), "the file")
        assert from_plain(json.loads(text)) == running.session.droid.scenario
        assert one.news["dropped"] == 0


def test_what_was_driven_becomes_a_film(drive):
    try:
        check_rendering()
    except InputError as error:
        pytest.skip(str(error))
    running = drive()
    running.session.film_size = (128, 72)
    with visiting(running.address) as one:
        one.press("Record")
        one.wait(lambda: running.session._recording is not None, "a recording")
        start = running.session._recording
        one.wait(lambda: len(start.calls) >= 4, "some steps")
        one.press("Stop and film")
        film = one.wait(lambda: one.files.get("drive-1.mp4"), "the film")
    assert film[4:8] == b"ftyp"
    assert (running.session._out / "drive-1.mp4").read_bytes() == film


def test_a_thread_that_writes_leaves_what_others_wait_for_alone():
    """asyncio's events belong to one thread; a push from another wakes it through its loop."""

    async def wait() -> None:
        buffer = Buffer(asyncio.get_running_loop(), persistent_messages=True)
        waiting = asyncio.create_task(buffer.message_event.wait())
        await asyncio.sleep(0)
        await asyncio.to_thread(buffer.message_event.set)
        assert not buffer.message_event.is_set()
        await asyncio.to_thread(buffer.push, _messages.ShareUrlRequest())
        assert await waiting

    asyncio.run(wait())


def test_who_reads_nothing_stops_nothing(drive):
    running = drive("sand")
    with visiting(running.address) as one:
        stuck = attempt(running.address.replace("http", "ws").rstrip("/"))
        one.hold("KeyW")
        one.wait(lambda: one.news.get("step", 0) > 150, "150 steps")
        stuck.socket.close()


# -- strangers -------------------------------------------------------------------------------


def test_messages_of_the_wrong_form_are_dropped_and_counted(drive):
    running = drive()
    with visiting(running.address) as one:
        one.wait(lambda: "Friction" in one.controls and one.news.get("step"), "the page")
        friction, button = one.controls["Friction"], one.controls["Push"]
        update = {"type": "GuiUpdateMessage", "uuid": friction}
        ray = {"ray_origin": [0.0] * 3, "ray_direction": [1.0, 0.0, 0.0], "modifier": None}
        click = {"type": "ScenePointerMessage", "event_type": "click", **ray}
        click["screen_pos"] = [[0.5, 0.5]]
        wrong = [
            b"",
            b"\xff\xff",
            b"[]",
            msgspec.msgpack.encode({"type": "NoSuchMessage"}),
            msgspec.msgpack.encode({"uuid": friction}),
            msgspec.msgpack.encode({"type": "ShareUrlRequest"}),
            msgspec.msgpack.encode({**update, "updates": {"value": 7.0}}),
            msgspec.msgpack.encode({**update, "updates": {"value": "0.5"}}),
            msgspec.msgpack.encode({**update, "updates": {"update_cb": []}}),
            msgspec.msgpack.encode({**update, "updates": {"value": 0.5, "removed": True}}),
            msgspec.msgpack.encode({**update, "updates": []}),
            msgspec.msgpack.encode({**update, "uuid": "none", "updates": {"value": 0.5}}),
            msgspec.msgpack.encode({**update, "uuid": button, "updates": {"value": 1e9}}),
            msgspec.msgpack.encode({"type": "ViewerCameraMessage", "wxyz": "x"}),
            msgspec.msgpack.encode({**click, "event_type": "rect-select"}),
            msgspec.msgpack.encode({**click, "ray_direction": [0.0, float("nan"), 0.0]}),
            msgspec.msgpack.encode({**click, "screen_pos": []}),
        ]
        for raw in wrong:
            one.view.send(raw)
        one.view.send("text")
        keys = ["", "{", "[]", '{"held": 3}', '{"held": ["KeyX"]}', '{"held": [], "more": 1}']
        keys += [json.dumps({"held": ["KeyW"] * 17}), b"\xff\xfe"]
        for raw in keys:
            one.keys.send(raw)
        count = len(wrong) + 1 + len(keys)
        one.wait(lambda: one.news["dropped"] == count, f"{count} refusals")
        one.set("Friction", 0.5)  # both connections live
        one.wait(lambda: one.news["scenario"] == dials.NAME, "a change")
        one.hold("KeyW")
        one.wait(lambda: one.news["driver"] == one.news["you"], "the wheel")


def refused(address: str, **headers: str) -> bool:
    """True if page and sockets refuse these headers alike."""
    plain = address.partition("?")[0]
    answers = []
    for url in (plain, plain.replace("http", "ws"), plain.replace("http", "ws") + "keys"):
        try:
            if url.startswith("ws"):
                attempt(url, **headers).close()
            else:
                urllib.request.urlopen(urllib.request.Request(url, headers=headers)).close()
            answers.append(False)
        except InvalidStatus as error:
            answers.append(error.response.status_code == 403)
        except urllib.error.HTTPError as error:
            answers.append(error.code == 403)
    assert len(set(answers)) == 1, answers
    return answers[0]


def test_foreign_origins_and_hosts_are_refused(drive):
    running = drive()
    here = running.address.rstrip("/")
    port = running.session.server.port
    assert not refused(running.address)
    assert not refused(running.address, Origin=here)
    assert refused(running.address, Origin="https://example.org")
    assert refused(running.address, Origin=f"http://127.0.0.1:{port + 1}")
    assert refused(running.address, Origin="null")


def test_a_name_that_resolves_here_is_refused(drive):
    """As a page would use that rebinds its own name to this address."""
    running = drive()
    request = urllib.request.Request(running.address, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_at_another_address_visitors_need_the_token(drive):
    running = drive(host="0.0.0.0")
    token = running.session.server.token
    port = running.session.server.port
    assert token is not None and running.address.endswith(f"/?token={token}")
    here = f"http://127.0.0.1:{port}/"
    assert refused(here)
    assert refused(here, Cookie=f"grek{port}=guess")
    with urllib.request.urlopen(f"{here}?token={token}") as page:
        cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    cookie = cookie.partition(";")[0]
    assert not refused(here, Cookie=cookie)
    with visiting(here, headers={"Cookie": cookie}) as one:
        one.wait(lambda: one.news.get("step"), "news")


def test_no_page_can_open_a_tunnel(drive):
    server = drive().session.server
    assert server.viser.request_share_url() is None


def test_text_from_a_file_is_no_program_on_the_page():
    """viser runs Markdown as MDX, in which braces hold code and tags elements."""
    text = literal("a` {alert(1)} <img onerror='x'> [a](javascript:b) \x1b[31m")
    assert not set("`{}<>[]'=\x1b") & set(text)
    assert literal("heldout/slope-far:7") == "heldout/slope-far:7"


def test_the_page_is_viser_with_our_script(drive):
    with urllib.request.urlopen(drive().address) as page:
        body = page.read().decode()
    head, _, _ = body.partition("</head>")
    assert "<title>Grek</title>" in head
    assert 'id="driver"' in head
    assert page.headers["X-Frame-Options"] == "DENY"
