"""Registration with Gymnasium in any order of imports; modules that `import grek` loads."""

import subprocess
import sys

import pytest

MADE = "; env = gymnasium.make('grek/Walk-v0'); env.reset(seed=0); env.close()"


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::UserWarning", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "import grek, gymnasium" + MADE,
        "import gymnasium, grek" + MADE,
        "import grek.envs.gym_env, gymnasium" + MADE,
        "import grek, gymnasium.spaces" + MADE,
        "import gymnasium" + MADE.replace("grek/", "grek:grek/"),
    ],
)
def test_the_id_is_registered(code):
    said = python(code)
    assert said.returncode == 0, said.stderr


def test_importing_grek_imports_no_other_package():
    said = python(
        "import sys; before = set(sys.modules); import grek; after = set(sys.modules) - before\n"
        "names = {name.split('.')[0] for name in after} - sys.stdlib_module_names\n"
        "print(sorted(names))"
    )
    assert said.stdout.strip() == "['grek']", said


def test_the_hook_is_gone_once_the_ids_are_registered():
    said = python(
        "import sys, grek\n"
        "hooks = lambda: [type(h).__name__ for h in sys.meta_path].count('_RegisterOnImport')\n"
        "before = hooks(); import gymnasium; print(before, hooks())"
    )
    assert said.stdout.split() == ["1", "0"], said
