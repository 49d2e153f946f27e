"""What the tests of pages share: Debian's headless Chromium, what a page says on its console, and axe.

    with open_browser() as browser:
        problems = check(browser, "file:///tmp/report.html")

Needs the packages of requirements.txt in this folder and Debian's chromium-headless-shell; `make venv` gets both.
"""

import contextlib
import os
import shutil
import sys

try:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright
except ImportError as error:
    sys.exit(f"{error}: install the packages of Tests/Browser/requirements.txt (make venv)")

# A phone and a desktop, and both themes.
WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")

# What axe finds that keeps somebody from using the page.
SERIOUS = ("serious", "critical")


@contextlib.contextmanager
def open_browser():
    """Starts the browser; --no-sandbox because containers have no user namespaces."""
    path = os.environ.get("NABLA_BROWSER") or shutil.which("chromium-headless-shell")
    if path is None:
        sys.exit("there is no chromium-headless-shell: make venv")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def visit(browser, url, width=1440, scheme="light", script=True, zoom=1):
    """A loaded page, and the list of what its console and its scripts complain of, which grows as one uses it.

    With `zoom` it is as in a window of that width and a height of 900 px, magnified so many times.
    """
    context = browser.new_context(
        viewport={"width": width // zoom, "height": 900 // zoom}, device_scale_factor=zoom, color_scheme=scheme,
        java_script_enabled=script, reduced_motion="reduce")
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(f"console: {message.text}")
            if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    # A page that is left gives up its question whether the program still runs.
    page.on("requestfailed", lambda request: complaints.append(f"request: {request.url}: {request.failure}")
            if not request.url.endswith("/api/alive") else None)
    try:
        page.goto(url, wait_until="load")
        yield page, complaints
    finally:
        context.close()


def overflow(page):
    """What is wider than the window, so that the whole page scrolls sideways; "" if nothing is."""
    return page.evaluate("""() => {
      const limit = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= limit) return "";
      const wide = [...document.querySelectorAll("body *")].filter(element =>
        element.getBoundingClientRect().right > limit + 1).slice(-3).map(element => element.outerHTML.slice(0, 120));
      return `${document.documentElement.scrollWidth} px in a window of ${limit}: ${wide.join(" | ")}`;
    }""")


def cut_off(page):
    """Words that are wider than the box that hides the rest of them, and words of drawings outside the drawing."""
    return page.evaluate("""() => [
      ...[...document.querySelectorAll("main *, header *")].filter(element =>
        !element.closest(".katex-mathml, .unseen, .row-names, svg") && element.clientWidth > 0
        && ["hidden", "clip"].includes(getComputedStyle(element).overflowX) && element.scrollWidth > element.clientWidth + 2),
      ...[...document.querySelectorAll("main svg text")].filter(text => {
        const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
        return inner.width && (inner.left < outer.left - 4 || inner.right > outer.right + 4);
      }),
    ].map(element => `${element.localName} “${element.textContent.trim().slice(0, 60)}”`)""")


def inaccessible(page):
    """The serious violations of accessibility that axe finds, one line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"axe: {violation['id']}: {violation['help']}: " + " | ".join(
            node["html"][:120] for node in violation["nodes"][:3])
        for violation in found if violation["impact"] in SERIOUS
    ]


def check(browser, url, use=None):
    """Opens a page at every width in every theme, and returns what is wrong with it, one line each.

    `use(page)` does what a reader may do (click, choose), and returns further problems.
    """
    problems = []
    for width in WIDTHS:
        with visit(browser, url, width) as (page, complaints):
            found = list(use(page) or []) if use else []
            wide = overflow(page)
            found += [f"scrolls sideways: {wide}"] if wide else []
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                found += [f"{scheme}: {problem}" for problem in inaccessible(page)]
            problems += [f"{width} px: {problem}" for problem in found + complaints]
    return problems
