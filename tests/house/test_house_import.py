"""What an import brings in: nothing heavy by the front door, and no model code anywhere an auditor goes."""

import json
import subprocess
import sys

import pytest

from house_tree import package_sources

HEAVY = [
    "torch",
    "transformers",
    "pyarrow",
    "matplotlib",
    "lm_eval",
    "reasoning_gym",
    "scipy",
    "pydantic",
    "pandas",
    "numpy",
]
MODEL_CODE = ["torch", "transformers", "accelerate", "lm_eval"]
READING_ROOMS = {
    *("errors", "identity", "seeds", "artifact", "stats", "measures", "spec", "worlds", "work"),
    *("weights", "corpus", "spectra", "footprint", "audit", "report"),
}


def loaded(statements: str, names: list[str]) -> list[str]:
    """Run statements in a fresh interpreter and tell which of the named modules they loaded."""
    tail = f"import json, sys; print(json.dumps([name for name in {names!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", f"{statements}\n{tail}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "statements",
    ["import shadowgraph", "import shadowgraph; dir(shadowgraph); shadowgraph.__all__; shadowgraph.__version__"],
)
def test_the_front_door_is_light(statements: str) -> None:
    assert loaded(statements, HEAVY) == []


def test_rooms_may_be_entered_without_their_furniture() -> None:
    rooms = sorted(source.module for source in package_sources() if source.place.endswith("__init__.py"))
    assert loaded("\n".join(f"import {room}" for room in rooms), HEAVY) == []


BARRED = """
import sys
class Bar:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(name + " is barred", name=name)
sys.meta_path.insert(0, Bar())
"""


def test_an_auditor_needs_no_model_code() -> None:
    modules = sorted(source.module for source in package_sources() if source.room in READING_ROOMS)
    statements = BARRED.replace("{names!r}", repr(set(MODEL_CODE))) + "\n".join(f"import {name}" for name in modules)
    assert loaded(statements, MODEL_CODE) == []


def test_the_bar_holds_and_loading_is_seen() -> None:
    assert loaded("import numpy", ["numpy", "torch"]) == ["numpy"]
    with pytest.raises(AssertionError, match="json is barred"):
        loaded(BARRED.replace("{names!r}", "{'json'}") + "sys.modules.pop('json', None)\nimport json", [])
