"""Merging: any order gives the same bytes, disagreement is refused. Export: no cell is a formula."""

import csv
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from footprint_models import Matrix, changed, saved, tensors

from shadowgraph.errors import DataError
from shadowgraph.footprint.export import cell, write_csv
from shadowgraph.footprint.merge import merge
from shadowgraph.footprint.scan import scan
from shadowgraph.footprint.table import Footprint
from shadowgraph.seeds import generator

FILES = ("footprint.parquet", "spectra.parquet", "footprint.json")


def noise(name: str, values: Matrix) -> Matrix:
    return 0.002 * generator(2, name).standard_normal(values.shape)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Footprint, Footprint, Footprint, Footprint]:
    place = tmp_path_factory.mktemp("models")
    start = tensors(layers=1)
    after, before = saved(place / "b", changed(start, noise)), saved(place / "a", start)
    return (
        scan(after, before),
        scan(after, before, objects=("O1",)),
        scan(after, before, objects=("O2",), nulls=()),
        scan(after, before, objects=("O3",), nulls=("rowcol",)),
    )


def test_any_order_gives_the_same_bytes(
    pieces: tuple[Footprint, Footprint, Footprint, Footprint], tmp_path: Path
) -> None:
    found: set[tuple[bytes, ...]] = set()
    for number, order in enumerate(permutations(pieces[1:])):
        merge(*order).write(tmp_path / str(number))
        found.add(tuple((tmp_path / str(number) / name).read_bytes() for name in FILES))
    assert len(found) == 1


def test_objects_read_apart_are_the_whole(pieces: tuple[Footprint, Footprint, Footprint, Footprint]) -> None:
    whole, states, changes, updates = pieces
    joined = merge(states, changes, updates)
    assert {row.object for row in joined.rows} == {"O1", "O2", "O3"}
    plain = {(row.tensor, row.object, row.measure): row.value for row in whole.rows if row.measure != "spectral_drift"}
    assert {(row.tensor, row.object, row.measure): row.value for row in joined.rows} == plain
    assert [record.object for record in joined.matrices] == ["O3"] * 5
    assert joined.coverage == whole.coverage
    assert merge(whole, whole).rows == whole.rows


def test_nulls_read_apart_stand_side_by_side(pieces: tuple[Footprint, Footprint, Footprint, Footprint]) -> None:
    joined = merge(pieces[0], pieces[3])
    nulls = {
        row.null for row in joined.rows if row.object == "O3" and row.measure == "participation_ratio" and row.value
    }
    assert nulls == {"gaussian", "rowcol"}


def test_two_numbers_or_two_models_are_refused(pieces: tuple[Footprint, Footprint, Footprint, Footprint]) -> None:
    whole = pieces[0]
    wrong = replace(whole, rows=(replace(whole.rows[0], value=1234.5), *whole.rows[1:]))
    with pytest.raises(DataError, match="two numbers"):
        merge(whole, wrong)
    with pytest.raises(DataError, match="different models"):
        merge(whole, replace(whole, parents={"after": "x", "before": "y"}))


def test_no_cell_begins_a_formula(pieces: tuple[Footprint, Footprint, Footprint, Footprint], tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://x","y")'
    rows = (replace(pieces[0].rows[0], tensor=evil), *pieces[0].rows[1:])
    write_csv(replace(pieces[0], rows=rows), tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as stream:
        read = list(csv.DictReader(stream))
    assert read[0]["tensor"] == f"'{evil}"
    assert len(read) == len(rows)
    assert float(read[5]["value"] or "nan") == pytest.approx(rows[5].value or float("nan"), nan_ok=True)
    assert [cell(text) for text in ("+1", "-x", "@a", "\tb", "\rc", "q")] == ["'+1", "'-x", "'@a", "'\tb", "'\rc", "q"]
    assert cell(-1.5) == "-1.5"
    assert cell(None) == ""
