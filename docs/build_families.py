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
A checkpoint is matched by the names of its tensors. config.json is asked only where two families name equally many
matrices, and where the parts of a fused matrix cannot be told without it; where it is absent, names that only one of
the two families has decide, and shapes where no name tells. What trainers and compilers put before every name
(`module.`, `_orig_mod.`) is passed over, and a model saved without its head is read without its prefix. Every matrix
has a block, a slot, a tower, and where there is one a layer and an expert. A matrix whose name stands in no row is
read, listed and counted with the role *unknown*; a checkpoint of no family has only such matrices.

*built* means: for every model type listed, the tests build a small model, save it, read it back, and compare each
matrix element for element with the weight of the live module, and each role, layer, expert and shape with an
expectation written by hand; saved under the names of transformers 4 and of 5, in shards, without its head, in bf16 and
in fp16. *documentation* means: the names come from published code or checkpoints that are not built here, and only the
lookup is tested.

The slot *gate* is always the half of a gated unit that passes through the nonlinearity, whatever the family calls it.
Linear maps of a state-space or linear-attention layer are in the block *mixer*. Routers, position tables, patch
embeddings, convolutions and projections have roles too, but are no linear maps of a block.

An embedding stored under several names is analysed once: an unembedding that config.json, or the usage of its model
type, ties to the embedding; and copies that encoder and decoder hold of one table, told by name, shape and type. Where
a writer kept only one of those names, it stands for the usual one."""
NOT_READ = """\
## Not read, or in part

- Gemma 3n: its text and audio towers are built in the tests, each alone; its vision tower is known by its published
  names only, and of that tower the attention has slots of a block, all else is a convolution.
- Phi-4-multimodal as published: the matrices inside its adapters are read, the adapters are listed and left out.
- MiniCPM-o: of its speech, the decoder's layers and the ears; the rest is unknown.
- RWKV 6 in the format of the flash-linear-attention library, Qwen-VL 1, CogVLM, Molmo, Qwen2.5-Omni, Whisper and other
  audio models: matrices may be recognised by a sibling's names, the rest is unknown.
- Without config.json the parts of query, key and value stay together, and are left out with that reason, wherever their
  sizes or their order depend on the number of heads."""


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
