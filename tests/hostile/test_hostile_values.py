"""Odd values read the numbers that they must, and names that are code stay text on a page."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from bad_values import UP, VALUE_CASES, Q
from badcase import llama, save
from badfiles import made

from shadowgraph.audit.verdict import audit
from shadowgraph.footprint.scan import scan
from shadowgraph.report.report import render_audit
from shadowgraph.weights.checkpoint import open_checkpoint

HOSTILE_NAMES = (
    '<img src=x onerror="alert(1)">',
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
    "'/><iframe srcdoc='<script>alert(1)</script>'>",
    "</title></style></svg></text><script>document.title=1</script>",
    "]]><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<a href=javascript:alert(1)>x</a><base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<style>@import'//evil.example/x.css';</style><link rel=stylesheet href=//evil.example/x.css>",
    "\u202egpj.\x1b[2J<object data=//evil.example/x>",
    "{{7*7}}${7*7}<%=7*7%>",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def read(name: str, folder: Path) -> dict[tuple[str, str], float | None]:
    """Measures of a case by tensor and key."""
    case = next(case for case in VALUE_CASES if case.id == name)
    footprint = scan(open_checkpoint(made(case, folder)))
    return {(row.tensor, row.measure): row.value for row in footprint.rows if row.object == "O1"}


RANKS = ("participation_ratio", "erank_energy", "erank_amplitude", "stable_rank")


@pytest.mark.parametrize(
    ("case", "tensor", "expected"),
    [
        ("VA03 constant", Q, 1.0),
        ("VA03 identity and rank one", Q, 6.0),
        ("VA03 identity and rank one", UP, 1.0),
        ("VA04", Q, 1.0),
        ("VA04", UP, 1.0),
    ],
)
def test_ranks_that_are_known(case: str, tensor: str, expected: float, tmp_path: Path) -> None:
    """Closed forms: a constant matrix has rank one, the identity its size; 1e-6 for the amplitude's tail."""
    found = read(case, tmp_path)
    for key in RANKS:
        assert found[tensor, key] == pytest.approx(expected, abs=1e-6), key


def test_norms_of_extreme_values_do_not_overflow(tmp_path: Path) -> None:
    """Closed form: the largest singular value of a constant n × n matrix is n times its entry, as stored."""
    found = read("VA04", tmp_path)
    assert found[Q, "log_spectral_norm"] == pytest.approx(np.log(6 * 6e4), rel=1e-3)
    assert found[UP, "log_spectral_norm"] == pytest.approx(np.log(6 * float(np.float16(6e-8))), rel=1e-6)


def hostile_page(tmp_path: Path) -> str:
    """The page of an audit whose matrices carry the hostile names."""
    extra = {name: np.ones((4, 4), dtype=np.float32) for name in HOSTILE_NAMES}
    for side in ("base", "tuned"):
        (tmp_path / side).mkdir()
        save(tmp_path / side / "model.safetensors", llama(seed=len(side)) | extra)
        (tmp_path / side / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return render_audit(audit(tmp_path / "tuned", tmp_path / "base").as_result())


def test_names_that_are_code_stay_text_on_the_page(tmp_path: Path) -> None:
    page = hostile_page(tmp_path)
    for live in (
        "<img",
        "<script",
        "<iframe",
        "<object",
        "<base",
        "<link",
        "<a href=java",
        "<svg onload",
        "\x1b",
        "\u202e",
    ):
        assert live not in page, live
    assert page.count("<style") == page.count("</style") == 1


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; the page is checked as text only")
def test_names_that_are_code_do_nothing_in_a_browser(tmp_path: Path) -> None:
    """Every element of the page as a browser builds it, beside every element as it was written: no more, no others."""
    page = hostile_page(tmp_path)
    place = tmp_path / "page.html"
    place.write_text(page, encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom")
    done = subprocess.run(
        [str(CHROMIUM), *flags, f"--user-data-dir={tmp_path / 'profile'}", place.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    built = Counter(re.findall(r"<([a-zA-Z]+)[\s/>]", done.stdout.lower()))
    wrote = Counter(re.findall(r"<([a-zA-Z]+)[\s/>]", page.lower()))
    assert not built.keys() & {"script", "img", "iframe", "object", "base", "link"}
    assert built.keys() - wrote.keys() <= {"tbody"}
    assert "evil.example" not in "".join(re.findall(r"""(?:href|src|data|content)=["']?[^"'>]*""", done.stdout))
