"""The build: one pin for everything, one version everywhere, one gate."""

import re
import tomllib
from importlib.metadata import distributions
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import shadowgraph
from house_tree import ROOT, none_of

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PLATFORM = re.compile(r"^(pip|shadowgraph|triton|nvidia-.*|cuda-.*)$")


def pins(text: str) -> dict[str, Version]:
    """The versions of a constraints file by canonical name."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(number) for name, _, number in (line.partition("==") for line in lines)}


PINS = pins((ROOT / "constraints.txt").read_text("utf-8"))


def untidy(text: str) -> list[str]:
    """Lines of a constraints file that pin nothing, or a local build, or a name twice."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    loose = [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    return loose + sorted({name for name in names if names.count(name) > 1})


def unmet(requirements: list[str], versions: dict[str, Version]) -> list[str]:
    """Requirements that no pin meets; our own extras are skipped."""
    found: list[str] = []
    for text in requirements:
        requirement = Requirement(text)
        pinned = versions.get(canonicalize_name(requirement.name))
        if requirement.name != "shadowgraph" and (pinned is None or pinned not in requirement.specifier):
            found.append(text)
    return found


def test_every_pin_is_exact() -> None:
    assert untidy((ROOT / "constraints.txt").read_text("utf-8")) == []
    assert PINS["torch"] == Version("2.13.0")


def test_every_requirement_has_a_pin() -> None:
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    groups = [PROJECT["build-system"]["requires"], PROJECT["project"]["dependencies"], *extras.values()]
    none_of(unmet([requirement for group in groups for requirement in group], PINS))


def test_this_environment_is_the_pinned_one() -> None:
    found: list[str] = []
    for distribution in distributions():
        name, here = canonicalize_name(distribution.name), Version(distribution.version)
        pinned = PINS.get(name)
        if not PLATFORM.match(name) and (pinned is None or Version(here.public) != pinned):
            found.append(f"{name} is {here}, pinned {pinned}")
    none_of(sorted(found))


def test_loose_pins_and_unmet_requirements_are_found() -> None:
    assert untidy("# note\nnumpy==2.4.6\nscipy>=1\ntorch==2.13.0+cpu\nNumPy==1\n") == [
        "scipy>=1",
        "torch==2.13.0+cpu",
        "numpy",
    ]
    assert unmet(["numpy>=2", "torch[x]>=3", "rich", "shadowgraph[lab]"], pins("numpy==2.4\ntorch==2.13\n")) == [
        "torch[x]>=3",
        "rich",
    ]


def test_the_version_is_one() -> None:
    assert shadowgraph.__version__ == PROJECT["project"]["version"]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heads = re.findall(r"^## \[(.+?)\]", changes, flags=re.M)
    assert heads[0] in {"Unreleased", shadowgraph.__version__}
    assert {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"} >= set(
        re.findall(r"^### (\w+)", changes, re.M)
    )


@pytest.mark.parametrize("target", ["demo", "test", "check", "check-all", "bench", "pages", "clean"])
def test_a_target_is_there_and_explained(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{target}:.*## \w", makefile, flags=re.M)
    assert re.search(rf"^\.PHONY:.*\b{target}\b", makefile, flags=re.M)


def test_the_gate_is_make_check_test() -> None:
    gate = ROOT / ".ci" / "run"
    assert gate.stat().st_mode & 0o111
    assert re.search(r"^exec make check test\b", gate.read_text("utf-8"), flags=re.M)


def test_contributing_fits_one_screen() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 45
