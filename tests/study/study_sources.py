"""A study over written sources, small enough to cut its corpora in a second."""

import json
from pathlib import Path
from typing import Any

from shadowgraph.artifact import write_json
from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec

WORDS_A_SOURCE = 60


def texts_of(name: str, count: int) -> list[str]:
    """Paragraphs of words that mostly only this source uses."""
    stream = generator(3, "words", name)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(letters[place] for place in stream.integers(26, size=5)) for _ in range(WORDS_A_SOURCE)]
    words += ["the", "of", "and", "with"]
    rows: list[str] = []
    for _ in range(count):
        parts = [" ".join(words[place] for place in stream.integers(len(words), size=12)) + "." for _ in range(6)]
        rows.append("\n\n".join(parts))
    return rows


def write_source(folder: Path, name: str, count: int = 120) -> None:
    """One file of a source."""
    rows = [json.dumps({"doc": f"{name}/{place}", "text": text}) for place, text in enumerate(texts_of(name, count))]
    (folder / f"{name}.jsonl").write_text("\n".join(rows))


def write_benchmark(folder: Path, name: str, count: int = 400) -> None:
    """One file of a benchmark of questions and answers."""
    stream = generator(3, "items", name)
    rows: list[str] = []
    for place in range(count):
        a, b = (int(number) for number in stream.integers(1000, size=2))
        question = f"In round {place} of the quiz, how much is {a} added to {b} when nothing else is known?"
        rows.append(json.dumps({"question": question, "answer": str(a + b), "family": f"sum-{place % 2}"}))
    (folder / f"{name}.jsonl").write_text("\n".join(rows))


def spec_of(folder: Path, arms: list[dict[str, Any]], **study: Any) -> StudySpec:
    """A study of six sources that rotate, one outside, one benchmark that no base knows."""
    names = [f"s{number}" for number in range(6)]
    for name in (*names, "far"):
        write_source(folder, name)
    write_benchmark(folder, "quiz")
    each = study.pop("base", "each_draw") == "each_draw"
    bases = ["rotate"] * 6 if each else ["always"] * 3 + ["never"] * 3
    bounds = {"shortest": 100, "longest": 200}
    sources: list[dict[str, Any]] = [
        {"name": name, "files": [f"{name}.jsonl"], "base": base, **bounds}
        for name, base in zip(names, bases, strict=True)
    ]
    sources.append({"name": "far", "files": ["far.jsonl"], "role": "outside", **bounds})
    quiz = {"name": "quiz", "files": ["quiz.jsonl"], "adapter": "question_answer", "benchmark": True}
    sources.append({**quiz, "shortest": 0, "longest": 300})
    return StudySpec.model_validate(
        {
            "schema_version": "1.0",
            "study": {
                "name": "small",
                "question": "Do the corpora of a small study hold what they say?",
                "seed": 4,
                "draws": study.pop("draws", 2),
                "base": "each_draw" if each else "shared",
                **study,
            },
            "sources": sources,
            "arms": arms,
            "model": {
                "vocabulary": 400,
                "hidden": 32,
                "intermediate": 64,
                "layers": 2,
                "heads": 2,
                "key_value_heads": 1,
            },
            "training": {
                "sequence_length": 32,
                "batch": 4,
                "base_steps": 12,
                "steps": 8,
                "base_learning_rate": 3e-3,
                "learning_rate": 1e-3,
                "warmup_steps": 2,
            },
            "analysis": {"primary": [arms[0]["name"], arms[1]["name"]], "smallest_effect": 0.05},
        }
    )


def study_folder(root: Path, spec: StudySpec) -> dict[str, Any]:
    """A study folder with a plan, and what a job of it is given."""
    write_json(root / "plan.json", {"spec": spec.model_dump(mode="json")})
    return {"root": str(root), "files": str(root.parent)}
