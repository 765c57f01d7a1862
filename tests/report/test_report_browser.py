"""The page in a real browser, network off: style applied under the policy, no request, no sideways scroll."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import report_sample as sample
import report_sources as sources

from shadowgraph.report.palette import ROLES
from shadowgraph.report.report import render_audit, render_study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; the page is checked as text only"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000",
)  # fmt: skip
PROBE = """<!doctype html><meta charset=utf-8><body>%s<script>
onload=()=>{const found=[];for(const f of document.querySelectorAll("iframe")){const w=f.contentWindow,d=w.document;
const s=e=>w.getComputedStyle(d.querySelector(e));found.push({name:f.title,width:f.clientWidth,
scroll:d.documentElement.scrollWidth,paper:s("body").backgroundColor,fill:s(".f-a0, .f-d7, .f-q4").fill,
live:d.querySelectorAll("img,script,iframe").length,requests:w.performance.getEntriesByType("resource").length})}
document.body.dataset.found=JSON.stringify(found)}</script>"""


def _run(tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def _pages() -> dict[str, str]:
    return {
        "study": render_study(sample.study()),
        "hostile": render_study(sample.hostile()),
        "audit": render_audit(sample.audit()),
        "sources": render_study(sources.study()),
        "hostile sources": render_study(sources.hostile()),
    }


def test_narrow_pages_do_not_scroll_sideways_and_ask_for_nothing(tmp_path: Path) -> None:
    probe = tmp_path / "probe.html"
    frames = [
        f'<iframe title={name} width={width} height=800 srcdoc="{html.escape(page)}"></iframe>'
        for name, page in _pages().items()
        for width in (320, 400)
    ]
    probe.write_text(PROBE % "".join(frames), encoding="utf-8")
    match = re.search(r'data-found="([^"]*)"', _run(tmp_path, "--dump-dom", probe.as_uri()))
    assert match is not None
    found: list[dict[str, Any]] = json.loads(html.unescape(match.group(1)))
    assert len(found) == len(frames)
    for frame in found:
        assert frame["scroll"] <= frame["width"], frame
        assert frame["live"] == frame["requests"] == 0, frame
        assert frame["paper"] == "rgb(253, 252, 248)"
        assert frame["fill"] not in {"rgb(0, 0, 0)", "none"}


@pytest.mark.parametrize(("mode", "scheme"), [(0, 1), (1, 0)])
def test_figures_follow_light_and_dark(tmp_path: Path, mode: int, scheme: int) -> None:
    from PIL import Image

    page, shot = tmp_path / "study.html", tmp_path / "shot.png"
    page.write_text(_pages()["study"], encoding="utf-8")
    _run(tmp_path, f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1200,2400",
         f"--screenshot={shot}", page.as_uri())  # fmt: skip
    with Image.open(shot) as image:
        counts = {colour: count for count, colour in image.convert("RGB").getcolors(1 << 24) or []}
    for role, least in (("paper", 1_000_000), ("a0", 100), ("a1", 100), ("d7", 2_000), ("ink", 500)):
        colour = tuple(int(ROLES[role][mode][place : place + 2], 16) for place in (1, 3, 5))
        assert counts.get(colour, 0) >= least, role
