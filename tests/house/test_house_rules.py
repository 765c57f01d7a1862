"""Every rule of `house_rules` holds in the package, and every rule can fail."""

from collections.abc import Callable
from textwrap import dedent
from typing import TypeAlias

import pytest

from house_rules import (
    asserts,
    described,
    drawer_names,
    prints,
    stray_randomness,
    too_long,
    unannotated,
    undocumented,
    wide_excepts,
)
from house_tree import ROOT, Source, none_of, package_sources, parsed, project_files, test_sources

Rule: TypeAlias = Callable[[Source], list[str]]

IN_THE_PACKAGE: list[Rule] = [too_long, unannotated, undocumented, stray_randomness, prints, wide_excepts, asserts]
IN_THE_TESTS: list[Rule] = [too_long, unannotated, stray_randomness, wide_excepts]
EXCUSED: dict[Rule, set[str]] = {
    # The door itself, and a test that spoils the global state to see that a run leaves it alone.
    stray_randomness: {"src/shadowgraph/seeds.py", "tests/runs/test_runs_train.py"},
    wide_excepts: {"src/shadowgraph/cli/main.py"},  # the outermost door: a defect becomes a sentence and exit code 70
}


@pytest.mark.parametrize("rule", IN_THE_PACKAGE, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Rule) -> None:
    excused = EXCUSED.get(rule, set())
    none_of([breach for source in package_sources() if source.place not in excused for breach in rule(source)])


@pytest.mark.parametrize("rule", IN_THE_TESTS, ids=lambda rule: rule.__name__)
def test_the_tests_keep(rule: Rule) -> None:
    excused = EXCUSED.get(rule, set())
    none_of([breach for source in test_sources() if source.place not in excused for breach in rule(source)])


def test_no_file_is_a_drawer() -> None:
    none_of(drawer_names([str(path.relative_to(ROOT)) for path in project_files()]))


def test_no_two_test_files_share_a_name() -> None:
    names = [source.module for source in test_sources() if source.module != "conftest"]
    none_of(sorted({name for name in names if names.count(name) > 1}))


def sample(text: str, module: str = "shadowgraph.sample") -> Source:
    """A small file to try a rule on."""
    return parsed(dedent(text), module=module)


def test_length_is_counted() -> None:
    body = "    x = 1\n"
    assert too_long(sample("def f() -> None:\n" + body * 59)) == []
    assert too_long(sample("def f() -> None:\n" + body * 60)) == ["sample.py: f has 61 lines"]
    assert too_long(sample("@mark\ndef f() -> None:\n" + body * 59)) == ["sample.py: f has 61 lines"]
    assert too_long(sample("x = 1\n" * 401)) == ["sample.py: 401 lines"]


def test_drawers_are_found() -> None:
    places = ["src/shadowgraph/utils.py", "src/base/one.py", "src/baseline.py", "tests/test_common.py"]
    assert drawer_names(places) == places[:2]


def test_missing_annotations_are_found() -> None:
    text = """
        class C:
            def m(self, a, *b: int, **c):
                def inner(d: int): ...
    """
    assert unannotated(sample(text)) == [
        "sample.py: m does not annotate a",
        "sample.py: m does not annotate c",
        "sample.py: m does not annotate its result",
        "sample.py: inner does not annotate its result",
    ]


GOOD = '''
    """A file."""
    def rank(values: Array, floor: float) -> float:
        """Rank.

        Args:
            values: descending (k,).
            floor (float): smallest value counted.

        Returns:
            A number in 1 … k.

        Raises:
            Defect: never in practice.
        """
        raise Defect("x")
'''


@pytest.mark.parametrize("module", ["shadowgraph.sample", "shadowgraph.measures.sample"])
def test_a_complete_docstring_passes(module: str) -> None:
    assert undocumented(sample(GOOD, module)) == []


@pytest.mark.parametrize(
    ("before", "after", "breach"),
    [
        ('"""A file."""', "", "the file has no docstring"),
        ("floor (float): ", "ceiling: ", "rank and its Args section differ in ceiling, floor"),
        ("floor: float", "other: float", "rank and its Args section differ in floor, other"),
        ("Returns:", "It gives", "rank has Args but no Returns section"),
        ("Defect: never", "SpecError: never", "rank raises Defect and does not say so"),
    ],
)
def test_an_incomplete_docstring_is_found(before: str, after: str, breach: str) -> None:
    assert undocumented(sample(GOOD.replace(before, after))) == [f"sample.py: {breach}"]


def test_docstrings_are_wanted_where_they_serve() -> None:
    text = '''
        """A file."""
        class Public:
            def method(self) -> int: ...
            @property
            def size(self) -> int: ...
            def _private(self) -> int: ...
        def _hidden() -> None: ...
        def many(a: int, b: int, c: int, d: int) -> int:
            """Four are too many to guess."""
        def few(a: int, b: int, c: int) -> int:
            """Add three numbers."""
    '''
    gaps = ["Public has no", "Public.method has no", "Public.size has no", "many has no Args"]
    assert [
        breach.removeprefix("sample.py: ").split(" docs")[0].split(" sect")[0] for breach in undocumented(sample(text))
    ] == gaps
    numeric = undocumented(sample(text, "shadowgraph.stats.sample"))
    assert "sample.py: few has no Args section" in numeric
    assert "sample.py: many has no Args section" not in undocumented(sample(text, "shadowgraph.cli.scan"))


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        ("Regime", False),
        ("tuple[Update, ...]", False),
        ("None", False),
        ("float", True),
        ("Any", True),
        ("dict[str, Run]", True),
    ],
)
def test_a_result_that_speaks_for_itself_needs_no_section(result: str, wanted: bool) -> None:
    text = GOOD.replace("-> float", f"-> {result}").replace("Returns:", "It gives")
    assert bool(undocumented(sample(text))) == wanted
    assert undocumented(sample(text, "shadowgraph.measures.rank"))


def test_described_names_are_read() -> None:
    assert described("\n    m, n: sizes.\n        more: no.\n    *label: what for.\n    `x` (int): it\n") == {
        "m",
        "n",
        "label",
        "x",
    }


@pytest.mark.parametrize(
    "text",
    [
        "random.random()",
        "import random as r",
        "from random import shuffle",
        "import numpy.random",
        "from numpy.random import default_rng",
        "from numpy import random",
        "np.random.seed(0)",
        "x = numpy.random.default_rng()",
        "import secrets",
        "from uuid import uuid4",
    ],
)
def test_stray_randomness_is_found(text: str) -> None:
    assert len(stray_randomness(sample(text))) == 1


def test_the_type_of_a_generator_may_be_named() -> None:
    assert stray_randomness(sample("def f(g: np.random.Generator) -> None: g.normal()")) == []


def test_the_global_state_may_be_kept_and_restored() -> None:
    text = "import random\nstate = random.getstate(), np.random.get_state()\nrandom.setstate(state[0])"
    assert stray_randomness(sample(text)) == []


def test_prints_wide_excepts_and_asserts_are_found() -> None:
    text = """
        try:
            print("x")
        except (ValueError, Exception):
            breakpoint()
        except BaseException: ...
        except Exception: raise
        except OSError: ...
        except: ...
        assert x
    """
    assert [len(rule(sample(text))) for rule in (prints, wide_excepts, asserts)] == [2, 3, 1]
