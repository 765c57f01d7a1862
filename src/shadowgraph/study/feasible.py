"""What of a plan over sources can be known to fail before anything runs.

Here live: adapters and dresses by name, an adapter held against the first row of each file, picks, texts that are
shorter than the tokens asked of them, and edits that take more components than any matrix has.
Not here: files that are absent (`sources`), and faults that only reading everything can find.
"""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from shadowgraph.corpus.adapters import ADAPTERS, Row
from shadowgraph.corpus.readers.files import COLUMNAR, find_files
from shadowgraph.corpus.readers.lines import open_lines
from shadowgraph.corpus.readers.records import read_records
from shadowgraph.errors import DataError, SpecError, printable
from shadowgraph.scores.exam import ASKED, ORIGINAL
from shadowgraph.spec.material import Arm, ModelTable, ScoreSource, SourceTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.rotation import known_sources, sources_of
from shadowgraph.study.sources import expand

BLOCK = 1 << 20
ROW_BYTES = 10
"""Bytes of a row beside its text, a safe low figure: a template adds its own words at most once for each so many."""
BY_WIDTH = frozenset({"llama", "mistral", "qwen2", "qwen3", "qwen3_moe", "gemma3_text", "gpt2", "gpt_neox", "mamba2"})
"""Families in which every matrix inside the layers has the width of the model on one side."""
WHOLE = ("even", "blend")
"""Regimes that take a stated share of every source."""


def require_feasible(spec: StudySpec, folder: Path) -> None:
    """Refuse a study over sources that is certain to fail later.

    Args:
        spec: the study, its files there.
        folder: what its paths are relative to.

    Raises:
        SpecError: an unknown adapter or dress, an arm that picks more sources than can take turns, or a rank that no
            matrix has; names the key.
        DataError: a file whose first row the adapter cannot read, or a source with fewer characters than the tokens
            that an arm or a base takes of it; names the file, and the source and key.
    """
    _check_ranks(spec)
    for source in spec.sources:
        if source.adapter is not None:
            _check_adapter(source, source.adapter, f"sources {source.name!r}", folder)
    for source in spec.scores.benchmarks:
        place = f"scores.benchmarks {source.name!r}"
        for dress in source.dresses:
            if dress not in (ORIGINAL, *ASKED):
                found = f"no dress is called {printable(dress)!r}"
                raise SpecError(found, where=f"{place}.dresses", hint=f"known: {', '.join(ASKED)}")
        _check_adapter(source, source.adapter or source.name, place, folder)
    wanted = _wanted(spec)
    for source in spec.sources:
        tokens, taker = wanted.get(source.name, (0, ""))
        _check_size(source, tokens, taker, folder)


def _check_ranks(spec: StudySpec) -> None:
    """Refuse ranks of an intervention above the smaller side of every matrix inside the layers of every model.

    Only where the sizes are certain from the file: of other families, and of a start model, nothing is said.
    """
    models = [spec.under(draw).model for draw in range(spec.study.draws)]
    if spec.intervention is None or any(one.start or one.family not in BY_WIDTH or _resized(one) for one in models):
        return
    largest = max(model.hidden for model in models)
    above = [str(rank) for rank in spec.intervention.ranks if rank > largest]
    if above:
        found = f"asks for {', '.join(above)} components of a matrix, and no matrix inside the layers has more than"
        hint = f"give ranks up to {largest}, the width model.hidden, or a wider model"
        raise SpecError(f"{found} {largest}", where="intervention.ranks", hint=hint)


def _resized(model: ModelTable) -> bool:
    """Whether the width of a model is given beside its table."""
    return not {"hidden_size", "n_embd"}.isdisjoint(model.settings)


def _check_adapter(table: SourceTable | ScoreSource, name: str, place: str, folder: Path) -> None:
    """Hold an adapter against the first row of every file of a table."""
    if name not in ADAPTERS:
        hint = f"known: {', '.join(sorted(ADAPTERS))}"
        raise SpecError(f"no adapter is called {printable(name)!r}", where=f"{place}.adapter", hint=hint)
    for path in find_files([expand(file, folder) for file in table.files]):
        number, value = next(read_records(path), (0, {}))
        if not number:
            raise DataError("holds no row", where=str(path), hint=f"named in {place}.files")
        try:
            ADAPTERS[name].read(Row(value, f"{path}:{number}"))
        except DataError as fault:
            hint = f"read by the adapter {name!r} of {place}; " + (fault.hint or "name another adapter")
            raise DataError(fault.found, where=fault.where, hint=hint) from fault


def _wanted(spec: StudySpec) -> dict[str, tuple[int, str]]:
    """Source → the most tokens that one base, or one arm of one draw, takes of it alone, and who takes them."""
    found: dict[str, tuple[int, str]] = {}

    def note(shares: Mapping[str, float], taker: str) -> None:
        for name, tokens in shares.items():
            if int(tokens) > found.get(name, (0, ""))[0]:
                found[name] = int(tokens), taker

    for draw in range(spec.study.draws):
        known = known_sources(spec, draw)
        note({name: spec.training.base_tokens / len(known) for name in known}, "training.base_steps asks of a base")
    for arm in spec.arms:
        spent: dict[str, float] = defaultdict(float)
        for draw in range(arm.draws or spec.study.draws):
            shares = _shares(spec, arm, draw)
            for name, tokens in shares.items():
                spent[name] = spent[name] + tokens if spec.study.disjoint_draws else max(spent[name], tokens)
        over = " in all its draws" if spec.study.disjoint_draws else ""
        note(spent, f"the arm {arm.name!r} takes{over}")
    return found


def _shares(spec: StudySpec, arm: Arm, draw: int) -> dict[str, float]:
    """Source → tokens that an arm is certain to take of it in a draw."""
    names = sources_of(spec, arm, draw)
    if arm.regime not in WHOLE or not names:
        return {}
    toward = [name for name in names if name in arm.toward]
    rest = [name for name in names if name not in arm.toward]
    share = (arm.share or 0.0) if toward else 0.0
    each = {name: share * spec.training.tokens / len(toward) for name in toward}
    return each | {name: (1.0 - share) * spec.training.tokens / len(rest) for name in rest}


def _check_size(source: SourceTable, tokens: int, taker: str, folder: Path) -> None:
    """Refuse a source whose text, as it is told, has fewer bytes than the tokens taken of it."""
    template = source.template or ""
    grows = 2.0 + template.count("{") + len(template.encode()) / ROW_BYTES
    files = find_files([expand(name, folder) for name in source.files])
    if not tokens or any(path.name.lower().endswith(COLUMNAR) for path in files):
        return
    needed, read = int(tokens / grows), 0
    for path in files:
        read += _bytes(path, needed - read)
        if read >= needed:
            return
    found = f"the source {source.name!r} holds {read:,} bytes in all, and {taker} {tokens:,} tokens of it"
    where = f"{files[0]}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    raise DataError(found, where=where, hint=f"give sources {source.name!r}.files more text, or ask fewer steps")


def _bytes(path: Path, enough: int) -> int:
    """Unpacked bytes of a file, counted until there are enough."""
    count = 0
    try:
        with open_lines(path) as stream:
            while count < enough and (block := stream.read(BLOCK)):
                count += len(block)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip stream ({error})", where=str(path), hint="fetch the file again") from error
    return count
