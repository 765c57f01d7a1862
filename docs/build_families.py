"""Writes docs/families.md from the role table, so that the page promises no more than the data.

Here lives: the text of the page. Not here: any family; those stand in `src/shadowgraph/weights/families/`.
Run it with `python docs/build_families.py`; a test compares the page with what this gives.
"""

from collections.abc import Iterable
from pathlib import Path

from shadowgraph.artifact import write_bytes
from shadowgraph.weights.roles import SLOTS, TOWERS, Family, Role, Row, families

PAGE = Path(__file__).resolve().parent / "families.md"
NOTICE = "<!-- Written by docs/build_families.py from the role table; change it there, then run the script. -->"
LEAD = """\
A checkpoint is matched by the names of its tensors; config.json is asked only where two families name equally many
matrices, and where the parts of a fused matrix cannot be told without it. Every matrix has a block, a slot, a tower,
and where there is one a layer and an expert. A matrix whose name stands in no row is read, listed and counted with
the role *unknown*; a checkpoint of no family has only such matrices.

*built* means: for every model type listed, the tests build a small model, save it, read it back, and compare each
matrix element for element with the weight of the live module, and each role, layer, expert and shape with an
expectation written by hand. *documentation* means: the names come from published code or checkpoints that are not
built here, and only the lookup is tested.

The slot *gate* is always the half of a gated unit that passes through the nonlinearity, whatever the family calls it.
Linear maps of a state-space or linear-attention layer are in the block *mixer*. Routers, position tables, patch
embeddings, convolutions and projections have roles too, but are no linear maps of a block."""
NOT_READ = """\
## Not read, or in part

- Gemma 3n with its towers: text only; its vision tower is a timm network, and that package is not built here.
- Phi-4-multimodal, GLM-4V, Qwen2.5-Omni and audio models: text matrices may be recognised by a sibling's names, the
  rest is unknown.
- RWKV 5 and later, and the original (not transformers) layouts of OLMo 1, ChatGLM and Mistral: unknown.
- Encoder-decoder copies of a shared embedding that a writer stored twice are counted twice."""


def slots_of(rows: Iterable[Row], tower: str) -> str:
    """Slots of the block linear matrices of one tower, in the order of a block."""
    roles: set[Role] = {role for row in rows for role in row.roles if role.tower == tower and role.is_block_linear}
    names = {role.slot for role in roles}
    return " ".join(slot for slot in SLOTS if slot in names)


def row(family: Family) -> str:
    """The line of one family."""
    rows = [each for same in family.rows.values() for each in same]
    towers = {role.tower for each in rows for role in each.roles}
    shown = "; ".join(f"{tower}: {slots_of(rows, tower) or '—'}" for tower in TOWERS if tower in towers)
    rules = sorted({each.rule for each in rows if len(each.roles) > 1})
    extra = ["stacked experts"] if any(each.stacked for each in rows) else []
    extra += ["stored (in, out)"] if any(each.transposed for each in rows) else []
    fused = ", ".join([*rules, *extra]) or "—"
    models = ", ".join(f"`{model}`" for model in family.models)
    return f"| `{family.name}` | {family.title} | {models} | {shown} | {fused} | {family.evidence} |"


def page() -> str:
    """The whole page."""
    head = ["family", "models", "model types", "slots of each tower", "fused by, stored as", "evidence"]
    columns = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    built = [family for family in families() if family.evidence == "built"]
    count = f"{len(families())} families, {sum(len(family.models) for family in built)} model types built and compared."
    lines = [NOTICE, "", "# Families", "", count, "", *LEAD.splitlines(), "", *columns, *map(row, families())]
    return "\n".join([*lines, "", *NOT_READ.splitlines(), ""])


if __name__ == "__main__":
    write_bytes(PAGE, page().encode())
