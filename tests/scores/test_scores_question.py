"""Questions: what is refused, what benchmarks and worlds become."""

from dataclasses import replace
from pathlib import Path

import pytest
from counterpart_cases import free, question

from shadowgraph.corpus.benchmark import Benchmark, read_benchmark
from shadowgraph.corpus.items import BenchmarkItem
from shadowgraph.errors import DataError
from shadowgraph.scores.question import Question, check, from_item, questions_of
from shadowgraph.worlds.item import Item

CHOICE = question()


@pytest.mark.parametrize(
    ("broken", "key"),
    [
        (replace(CHOICE, gold=1), "gold"),
        (replace(CHOICE, gold=4), "gold"),
        (replace(CHOICE, gold=-1), "gold"),
        (replace(CHOICE, gold=True, answer="purple"), "gold"),
        (replace(free(), gold=0), "gold"),
        (replace(free(), answer=" "), "answer"),
        (replace(free(), prompt=""), "prompt"),
        (replace(free(), accepted=("",)), "accepted"),
        (replace(CHOICE, choices=("yellow", " ")), "choices"),
        (replace(CHOICE, id=""), "id"),
        (replace(CHOICE, style="cloze"), "style"),
        (replace(CHOICE, prompt="half \ud800"), "prompt"),
    ],
)
def test_a_question_without_sound_gold_is_refused(broken: Question, key: str) -> None:
    with pytest.raises(DataError, match=f"made item .* key '{key}'"):
        check(broken)


def test_a_pair_without_a_prompt_is_sound() -> None:
    check(replace(CHOICE, prompt="", style="continuation"))


def test_a_worked_solution_gives_way_to_its_short_answer() -> None:
    item = BenchmarkItem("i1", "How many?", "One <<1=1>> and so on.\n#### 1,250", final="1,250")
    (found,) = questions_of(Benchmark("sums", (item,)))
    assert (found.answer, found.accepted, found.worked) == ("1,250", ("1250",), item.answer)
    assert (found.source, found.group, found.family, found.gold) == ("sums", "i1", "sums", -1)


def test_items_that_share_a_passage_or_a_paradigm_share_a_group() -> None:
    passage = "This is a passage of more than twelve words that two questions of one subject share. "
    items = (
        BenchmarkItem("a", f"{passage}Who?", "x", group="history"),
        BenchmarkItem("b", f"{passage}When?", "y", group="history"),
        BenchmarkItem("c", f"{passage}When?", "y", group="law"),
        BenchmarkItem("d", "", "good", ("good", "bad"), group="agreement", style="continuation"),
        BenchmarkItem("e", "", "fine", ("fine", "bad"), group="agreement", style="continuation"),
    )
    groups = [found.group for found in questions_of(Benchmark("exam", items))]
    assert groups[0] == groups[1] != "a"
    assert groups[2] == "c"
    assert groups[3] == groups[4]
    assert [found.group for found in questions_of(Benchmark("exam", items[2:3]))] == ["c"]


def test_an_equation_comes_along(tmp_path: Path) -> None:
    file = tmp_path / "svamp.jsonl"
    file.write_text(
        '{"ID": "1", "Body": "Ida had 9 pears", "Question": "How many?", "Equation": "( 9.0 - 2.0 )", "Answer": 7.0}\n'
    )
    (found,) = questions_of(read_benchmark("svamp", [file]))
    assert (found.equation, found.answer, found.prompt) == ("( 9.0 - 2.0 )", "7", "Ida had 9 pears. How many?")


def test_a_benchmark_without_gold_is_refused() -> None:
    with pytest.raises(DataError, match="exam item 'a' key 'answer'"):
        questions_of(Benchmark("exam", (BenchmarkItem("a", "Who?", ""),)))


def test_facts_of_a_world_are_clustered_by_their_subject() -> None:
    item = Item("i", "fiction", "fiction", "Where does Ro live?", "Um", ("Ur", "Um"), 1, "Ro", "home")
    assert from_item(item) == Question("i", "worlds/fiction", "Ro", "fiction", item.question, "Um", ("Ur", "Um"), 1)
