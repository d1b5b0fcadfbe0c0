"""Takes screenshots of HTML pages at several widths, light, dark and printed, and finds what overflows.

    screenshots.py OUT PAGE.html…        needs Chromium; exit code 1 if a page is wider than its window

Overflow is measured by the page itself: elements that reach beyond the window and do not lie in one that scrolls.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WIDTHS = (390, 768, 1100, 1400)
PROBE = """<script>
addEventListener('load', () => {
  const scrolls = e => { for (; e; e = e.parentElement) {
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX)) return true; } return false; };
  const wide = [...document.querySelectorAll('main *')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !scrolls(e); });
  const found = wide.map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' +
    (e.textContent || '').trim().slice(0, 40));
  document.title = JSON.stringify({page: document.documentElement.scrollWidth, window: innerWidth, found});
});
</script>"""


def chromium(*options: str) -> str:
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


def overflow(page: Path, width: int) -> list[str]:
    """What is wider than the window. Chromium's own window is at least 500 wide, so the page is put into a frame."""
    # The page allows only its own script; the probe needs one more.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    source = base64.b64encode(text.replace("</head>", PROBE + "</head>").encode()).decode()
    frame = (f'<iframe id="f" style="width:{width}px;height:3000px;border:0"></iframe>'
             f"<script>f.srcdoc = new TextDecoder().decode(Uint8Array.from(atob('{source}'), c => c.charCodeAt(0)));"
             "f.onload = () => setTimeout(() => { document.title = f.contentDocument.title; }, 300);</script>")
    with tempfile.NamedTemporaryFile("w", suffix=".html") as file:
        file.write(f"<!doctype html><meta charset=utf-8><title>none</title><body style=margin:0>{frame}</body>")
        file.flush()
        shown = chromium(f"--window-size={max(width, 500)},3000", "--virtual-time-budget=4000", "--dump-dom", file.name)
    title = re.search(r"<title>(.*?)</title>", shown, re.S)
    assert title, shown[:200]
    facts: dict[str, Any] = json.loads(title[1].replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
    wide = [f"the page has {facts['page']} px"] if facts["page"] > facts["window"] + 1 else []
    return wide + [str(what) for what in facts["found"]]


def take(page: Path, width: int, dark: bool, out: Path) -> None:
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    with tempfile.NamedTemporaryFile("w", suffix=".html") as file:
        source = page.resolve().as_uri()
        file.write(f'<!doctype html><body style="margin:0"><iframe src="{source}" '
                   f'style="width:{width}px;height:2600px;border:0"></iframe></body>')
        file.flush()
        chromium(f"--window-size={max(width, 500)},2600", "--allow-file-access-from-files", *scheme,
                 f"--screenshot={out}", file.name)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    failed = False
    for page in map(Path, sys.argv[2:]):
        for width in WIDTHS:
            for what in overflow(page, width):
                print(f"{page} at {width} px: {what}", file=sys.stderr)
                failed = True
            for dark in (False, True):
                take(page, width, dark, out / f"{page.stem}-{width}{'-dark' if dark else ''}.png")
        chromium(f"--print-to-pdf={out / page.stem}.pdf", "--no-pdf-header-footer", str(page))
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
