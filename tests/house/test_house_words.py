"""The project's text speaks of the project alone, and the patterns that guard it can fail."""

import pytest

from house_tree import ROOT, none_of, package_sources, parsed, project_files
from house_words import unwanted, words_of_a_verdict


def readable() -> dict[str, str]:
    """The text of every project file that is text, by its place."""
    texts: dict[str, str] = {}
    for path in project_files():
        data = path.read_bytes()
        if b"\0" not in data:
            texts[str(path.relative_to(ROOT))] = data.decode("utf-8")
    return texts


def test_project_text_is_clean() -> None:
    none_of([breach for place, text in readable().items() for breach in unwanted(place, text)])


def test_verdicts_do_not_say_more_than_they_know() -> None:
    rooms = [source for source in package_sources() if source.room in {"audit", "report"}]
    none_of([breach for source in rooms for breach in words_of_a_verdict(source)])


@pytest.mark.parametrize(
    "line",
    [
        "see /" + "work/main",
        'open("/' + 'root/.cache")',
        "https://" + "py" + "pi.org/simple",
        "pip install --" + "index-url x",
        "../sha" + "red/data",
        "# TO" + "DO later",
        "as the " + "lead said",
    ],
)
def test_unwanted_text_is_found(line: str) -> None:
    assert len(unwanted("docs/page.md", f"first\n{line}\n")) == 1


@pytest.mark.parametrize("line", ["framework/main", "a home/run", "the shared base", "src/shared_base.py", "leading"])
def test_ordinary_text_passes(line: str) -> None:
    assert unwanted("docs/page.md", line) == []


def test_only_the_gate_looks_beside_the_project() -> None:
    line = "../sha" + "red/data"
    assert unwanted(".ci/run", line) == []
    assert unwanted("Makefile", line) != []


def test_overreaching_verdicts_are_found() -> None:
    word = "sa" + "fe"
    assert words_of_a_verdict(parsed(f'label = f"{{name}} is {word}"')) == [f"sample.py:1: says {word!r}"]
    assert words_of_a_verdict(parsed('suffix = "model.safetensors"')) == []
    assert words_of_a_verdict(parsed(f'def f() -> str:\n    """A name made {word}."""')) == []
