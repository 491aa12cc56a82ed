"""Command line: exit codes, one line on stderr for bad input, no incomplete files."""

import ast
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from grek.__main__ import main
from grek.commands import COMMANDS
from grek.envs.contract import contract_of
from grek.envs.tasks import walking
from grek.eval.episodes import partial

ROOT = Path(__file__).resolve().parent.parent
COMMAND_FILES = sorted(
    path for path in (ROOT / "grek/commands").glob("*.py") if "__" not in path.name
)
TINY = ["--worlds", "4", "--threads", "1", "--steps", "256"]


def grek(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "grek", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run in this process, assert exit code 2 and a single line on stderr, and return it."""
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as leaving:
        code = leaving.code
    said = capsys.readouterr()
    assert code == 2, said
    assert said.err.count("\n") == 1 and said.err.startswith("grek: "), said.err
    return said.err


def actor(path: Path, contract: dict[str, object] | None, inputs: int = 45) -> Path:
    """Write a linear policy with any contract."""
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["observation", "w"], ["action"])],
        "policy",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["n", inputs])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["n", 10])],
        [helper.make_tensor("w", TensorProto.FLOAT, [inputs, 10], [0.0] * inputs * 10)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if contract is not None:
        helper.set_model_props(model, {"grek.contract": json.dumps(contract)})
    onnx.save(model, path)
    return path


# -- help and start-up ---------------------------------------------------------------------


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from grek.__main__ import parse\n"
        "try: parse(['--help'])\nexcept SystemExit: pass\n"
        "heavy = ('numpy', 'gymnasium', 'mujoco', 'rich', 'torch', 'stable_baselines3',\n"
        "         'matplotlib')\n"
        "sys.exit(any(name in sys.modules for name in heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_names_every_command():
    said = grek("--help")
    assert said.returncode == 0
    for name in COMMANDS:
        assert name in said.stdout


def test_sigterm_ends_any_command_as_ctrl_c_does(monkeypatch, capsys):
    def run(self: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("grek.commands.worlds.Materials.run", run)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["materials"]) == 130
    assert capsys.readouterr().err == "grek: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "where",
    ["training/config.py", *(f"grek/commands/{p.name}" for p in COMMAND_FILES)],
)
def test_help_explains_every_flag(where):
    """tyro takes the help of a flag from the string below its field."""
    for group in ast.walk(ast.parse((ROOT / where).read_text())):
        if isinstance(group, ast.ClassDef):
            for flag, below in itertools.pairwise([*group.body, ast.Pass()]):
                if isinstance(flag, ast.AnnAssign) and ast.unparse(flag.target) != "ppo":
                    assert isinstance(below, ast.Expr), ast.unparse(flag)


@pytest.mark.parametrize("command", ["train", "eval", "compare", "table", "render", "bench"])
def test_help_of_a_command_shows_flags_and_defaults(command, capsys):
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help"])
    assert not leaving.value.code
    assert "default" in capsys.readouterr().out


def test_scenario_prints_json(capsys):
    assert main(["scenario", "heldout:3"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "heldout/grass:0"  # in full


def test_materials_prints_units_and_sources(capsys):
    assert main(["materials"]) == 0
    said = capsys.readouterr().out
    assert "sand" in said and "Wong" in said and "m/s" in said


def test_motions_lists_and_draws(capsys, tmp_path):
    assert main(["motions"]) == 0
    assert "Hopscotch" in capsys.readouterr().out
    assert main(["motions", "bow", "--plot", str(tmp_path / "bow.png")]) == 0
    assert Image.open(tmp_path / "bow.png").size[0] > 1000


# -- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["scenario", "train:x"], "train:x"),
        (["scenario", "mars:1"], "mars"),
        (["scenario", "train:-1"], "train:-1"),
        (["scenario", "train:" + 5000 * "9"], "train:9"),
        (["compare", 300 * "a", "b"], "aaa"),
        (["render", "zero", "--seconds", "0.001"], "0.001"),
        (["eval", "nobody"], "nobody"),
        (["eval", "zero", "--suite", "tiny"], "tiny"),
        (["eval", "zero", "--episodes", "0"], "0"),
        (["eval", "zero", "--episodes", "-3"], "-3"),
        (["eval", "zero", "--episodes", "many"], "many"),
        (["eval", "zero", "--seed", "-1"], "-1"),
        (["eval", "zero", "--films"], "--out"),
        (["eval", "zero", "--open"], "--out"),
        (["eval", "zero", "--scenario", "train/sand:1", "--open"], "--open"),
        (["train", "--film-every", "-1"], "--film-every -1.0"),
        (["eval", "zero", "--threads", "-1"], "-1"),
        (["render", "zero", "--material", "lava"], "lava"),
        (["render", "zero", "--seconds", "-1"], "-1"),
        (["render", "zero", "--fps", "30"], "30"),
        (["render", "zero", "--scenario", "train:1", "--material", "ice"], "not both"),
        (["compare", "nothing.json", "nothing.json"], "nothing.json"),
        (["table"], "at least one"),
        (["table", "nothing.json"], "nothing.json"),
        (["table", "nothing.json", "else.json", "--rows"], "not 2"),
        (["table", "--columns"], "--columns"),
        (["bench", "--repeats", "0"], "0"),
        (["bench", "--learning", "--minutes", "0"], "--minutes"),
        (["bench", "--plot", "x.png"], "--learning"),
        (["bench", "--onboard", "--learning"], "not both"),
        (["dance"], "dance"),
        (["motions", "waltz"], "waltz"),
        (["motions", "--plot", "x.png"], "MOTION"),
        (["motions", "bow", "--plot", "x.txt"], "x.txt"),
        (["train", "--space", "heldout"], "heldout"),
        (["train", "--materials", "lava"], "lava"),
        (["train", "--worlds", "-4"], "-4"),
        (["train", "--minutes", "-1"], "-1"),
        (["train", "--resume", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_policies_that_are_none(capsys, tmp_path):
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"not a network")
    assert "not a readable ONNX file" in refused(capsys, "eval", junk)
    good = actor(tmp_path / "good.onnx", contract_of(walking()))
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(good.read_bytes()[:500])
    assert "cut.onnx" in refused(capsys, "eval", cut)
    assert "no grek.contract" in refused(capsys, "eval", actor(tmp_path / "bare.onnx", None))


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("joints", ["left_hip_yaw"]),
        ("control_dt", 0.01),
        ("observation", {"gyro": [0, 3]}),
        ("schema", 9),
        ("gait", {"period": 1}),
        ("training", {"seed": float("nan")}),
    ],
)
def test_policies_with_another_contract(entry, value, capsys, tmp_path):
    contract = {**contract_of(walking()), entry: value}
    said = refused(capsys, "eval", actor(tmp_path / "other.onnx", contract))
    assert entry in said or "contract" in said


def test_policies_with_other_ports(capsys, tmp_path):
    wide = actor(tmp_path / "wide.onnx", contract_of(walking()), inputs=46)
    assert "ports" in refused(capsys, "eval", wide)


def other_make(
    path: Path, nodes: list, batch: object = "n", number: int = TensorProto.FLOAT
) -> Path:
    """Policy of any `nodes` from observation to action, with the contract of walking."""
    size = walking().size()
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info("observation", number, [batch, size])],
        [helper.make_tensor_value_info("action", number, [batch, 10])],
        [helper.make_tensor("w", number, [size, 10], [0.0] * size * 10)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text = json.dumps(contract_of(walking()))
    helper.set_model_props(model, {"grek.contract": text})
    path.write_bytes(model.SerializeToString())
    return path


GEMM = [helper.make_node("Gemm", ["observation", "w"], ["action"])]
ONE = ["eval", "--suite", "train", "--episodes", "1"]


def test_networks_of_other_makes_are_refused_in_a_line(capsys, tmp_path):
    double = other_make(tmp_path / "double.onnx", GEMM, number=TensorProto.DOUBLE)
    assert "ports" in refused(capsys, *ONE, double)
    single = other_make(tmp_path / "single.onnx", GEMM, batch=1)
    assert "single.onnx" in refused(capsys, *ONE, single)
    huge = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
    many = helper.make_tensor("many", TensorProto.INT64, [2], [10**7, 10**6])
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=many),
        helper.make_node("ConstantOfShape", ["shape"], ["rows"], value=huge),
        helper.make_node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        helper.make_node("Gemm", ["observation", "w"], ["plain"]),
        helper.make_node("Add", ["plain", "sum"], ["action"]),
    ]
    assert "huge.onnx" in refused(capsys, *ONE, other_make(tmp_path / "huge.onnx", nodes))
    few = helper.make_node("Constant", [], ["rows"], value=helper.make_tensor("r", 7, [2], [2, -1]))
    nodes = [
        helper.make_node("Gemm", ["observation", "w"], ["plain"]),
        few,
        helper.make_node("Reshape", ["plain", "rows"], ["action"]),
    ]
    assert "few.onnx" in refused(capsys, *ONE, other_make(tmp_path / "few.onnx", nodes))


def test_weights_beside_the_file_are_refused(capsys, tmp_path, monkeypatch):
    """They would be read from the working directory, and be in no hash."""
    monkeypatch.chdir(tmp_path)
    whole = onnx.load(str(other_make(tmp_path / "whole.onnx", GEMM)))
    weights = numpy_helper.from_array(numpy_helper.to_array(whole.graph.initializer[0]), "w")
    whole.graph.initializer[0].CopyFrom(weights)
    onnx.save(whole, "apart.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").is_file()
    assert "apart.onnx" in refused(capsys, *ONE, tmp_path / "apart.onnx")


def test_results_are_not_overwritten(capsys, tmp_path):
    (tmp_path / "scorecard.json").write_text("mine")
    assert "--force" in refused(capsys, "eval", "zero", "--out", tmp_path)
    (tmp_path / "film.mp4").write_text("mine")
    assert "--force" in refused(capsys, "render", "zero", "--out", tmp_path / "film.mp4")
    assert "is a directory" in refused(capsys, "render", "zero", "--out", tmp_path)
    (tmp_path / "file").write_text("x")
    assert "is a file" in refused(capsys, "eval", "zero", "--out", tmp_path / "file" / "sub")
    assert (tmp_path / "scorecard.json").read_text() == "mine"
    (tmp_path / "run").mkdir()
    assert "--force" in refused(capsys, "train", "--out", tmp_path / "run", *TINY)


def test_the_report_is_opened(capsys, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)  # which says: no browser
    out = tmp_path / "two words"
    assert main(["eval", "zero", *ONE[1:], "--threads", "1", "--out", str(out), "--open"]) == 0
    assert opened == [f"file://{tmp_path}/two%20words/scorecard.html"]
    assert f"grek: no browser was found for {opened[0]}" in capsys.readouterr().err


def test_parts_of_other_evaluations_are_left_alone(capsys, tmp_path):
    kept = tmp_path / partial.NAME
    partial.save(kept, {"policy": "another"}, [])
    before = kept.read_bytes()
    said = refused(capsys, "eval", "zero", "--suite", "train", "--out", tmp_path)
    assert "its policy is 'another'" in said and "--force" in said
    assert kept.read_bytes() == before and list(tmp_path.iterdir()) == [kept]
    kept.unlink()
    kept.mkdir()
    assert partial.NAME in refused(capsys, "eval", "zero", "--out", tmp_path)


def test_tables_of_what_is_no_scorecard(capsys, tmp_path):
    whole = ROOT / "assets" / "policies" / "walk.json"
    cut, empty = tmp_path / "cut.json", tmp_path / "empty.json"
    cut.write_bytes(whole.read_bytes()[:3000])
    empty.write_text("")
    assert "cut.json is cut off" in refused(capsys, "table", whole, cut)
    assert "empty.json is empty" in refused(capsys, "table", empty, "--rows")
    assert "scorecard.json" in refused(capsys, "table", tmp_path)
    assert "different suites" in refused(capsys, "table", whole, ROOT / "tests/scores/walk.json")


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("grek.envs.rendering.canvas._gl_context", "libegl1"),
        ("imageio_ffmpeg.get_ffmpeg_exe", "ffmpeg"),
    ],
)
def test_films_name_what_is_missing(broken, named, capsys, tmp_path, monkeypatch):
    def missing(*_: object) -> None:
        raise RuntimeError("no such library")

    if named == "ffmpeg":  # wherever there is EGL; elsewhere the first complaint is about that
        pytest.importorskip("mujoco.egl", exc_type=ImportError)
    monkeypatch.setattr(broken, missing)
    assert named in refused(capsys, "render", "zero", "--out", tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


# -- train, eval, compare end to end -------------------------------------------------------


def test_train_eval_compare(tmp_path):
    run = tmp_path / "run"
    said = grek("train", "--out", run, *TINY)
    assert said.returncode == 0, said.stderr
    assert (run / "policy.onnx").is_file()
    for name in ("one", "two"):
        out = tmp_path / name
        threads = 1 if name == "one" else 2
        arguments = ("--suite", "train", "--episodes", 1, "--threads", threads, "--out", out)
        said = grek("eval", run, *arguments)
        assert said.returncode == 0, said.stderr
        assert "dry_concrete" in said.stdout
        assert {p.name for p in out.iterdir()} == {f"scorecard.{k}" for k in ("json", "md", "html")}
    one, two = ((tmp_path / n / "scorecard.json").read_bytes() for n in ("one", "two"))
    assert one == two  # at any number of threads, to the byte
    card = json.loads(one)
    assert card["schema"] == 2 and card["suite"]["episodes"] == 1
    assert {row["context"] for row in card["rows"]} >= {"dry_concrete", "sand"}
    said = grek("compare", tmp_path / "one", tmp_path / "two" / "scorecard.json")
    assert said.returncode in (0, 1)
    (tmp_path / "two" / "scorecard.json").write_bytes(one[: len(one) // 2])
    assert grek("compare", tmp_path / "one", tmp_path / "two").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_saves_and_exits_130(tmp_path, number):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "grek", "train", "--out", str(run), "--minutes", "5"]
    process = subprocess.Popen([*command, "--worlds", "4", "--threads", "1"], stderr=-3, stdout=-3)
    for _ in range(600):
        if (run / "progress.csv").exists():
            break
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert list((run / "checkpoints").glob("step_*.pt")) and (run / "policy.onnx").is_file()
    said = grek("train", "--resume", run, "--steps", 128)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_results_are_written_whoever_reads_them(tmp_path, unbuffered):
    """`grek eval ... | true`: the reader is gone before the first line."""
    arguments = ["eval", "zero", "--suite", "train", "--episodes", "1", "--out", str(tmp_path)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "grek", *arguments],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *("scorecard.json", "scorecard.md", "scorecard.html")
    }
