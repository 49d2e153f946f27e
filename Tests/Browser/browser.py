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
def visit(browser, url, width=1440, scheme="light", script=True):
    """A loaded page, and the list of what its console and its scripts complain of, which grows as one uses it."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script,
        reduced_motion="reduce")
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(f"console: {message.text}")
            if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"request: {request.url}: {request.failure}"))
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
