"""Opens reports in a browser and fails where one complains, scrolls sideways or cannot be used.

Usage: check_reports.py KIND=PAGE...   where KIND is one of USES, and PAGE an HTML file. With --pictures FOLDER, saves
what each looks like at every width in every theme.
"""

import argparse
import pathlib
import sys

from browser import SCHEMES, WIDTHS, check, open_browser, visit


def expect(page, selectors):
    """Says which of these parts the page lacks."""
    return [f"nothing is at {selector}" for selector in selectors if page.locator(selector).count() == 0]


def is_drawn(page, selector):
    """Whether a canvas has pixels of more than one color."""
    return page.locator(selector).first.evaluate("""canvas => {
      const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      return data.some(pixel => pixel !== data[0]);
    }""")


def drawn(page, selectors):
    return expect(page, selectors) or [
        f"{selector} is blank" for selector in selectors if not is_drawn(page, selector)]


def curves(page):
    """Charts are drawn, equations too, and the axis switches."""
    problems = drawn(page, ["#curves .chart canvas"])
    for toggle in page.locator("[data-logarithmic]").all()[:2]:
        toggle.check()
    return problems


def equations(page):
    if page.locator(".tex").count() == 0:
        return ["there are no equations"]
    undrawn = page.locator(".tex:not(.drawn)").all_text_contents()
    return [f"KaTeX did not draw {tex}" for tex in undrawn]


def samples(page):
    slider = page.locator("#sample-slider")
    if slider.count() == 0:
        return ["there are no samples"]
    if slider.is_visible():
        slider.press("Home")
    visible = page.locator("#samples li:visible").count()
    return [] if visible == 1 else [f"{visible} samples show at once"]


def language(page):
    problems = curves(page) + equations(page) + samples(page)
    problems += drawn(page, ["#attention .map canvas", "#positions .plane canvas"])
    panels = ["heads", "entropy", "sparsity", "temperature", "cost"]
    problems += drawn(page, [f"#chart-{name}" for name in panels])
    first = page.locator("#attention .map").first
    first.locator("canvas").hover()
    if not page.locator("#tip").text_content():
        problems.append("no weight shows under the pointer")
    first.click()
    if not page.locator("#attention-dialog").is_visible():
        problems.append("the map does not open")
    page.locator("#attention-dialog .close").click()
    return problems


def policy(page):
    problems = curves(page) + equations(page) + drawn(page, [".policy-map", ".value-map"])
    page.locator(".policy-map").first.hover()
    if page.locator("#replay-play").count() > 0:
        page.locator("#replay-play").click()
        page.wait_for_timeout(100)
        page.locator("#replay-play").click()
        problems += drawn(page, ["#replay-canvas"])
    return problems


def study(page):
    problems = equations(page) + drawn(page, ["#chart-seeds", ".policy-map"])
    problems += expect(page, ["#members a[href$='/report.html']", "#settings table", "#objective svg"])
    choice = page.locator("#policy .agent-choice")
    if choice.count() == 0:
        return problems + ["there is no choice of agents"]
    choice.select_option(index=1)
    for section in ("#objective", "#policy"):
        shown = [part.get_attribute("data-agent") for part in page.locator(f"{section} [data-agent]:visible").all()]
        if shown != ["1"]:
            problems.append(f"{section} shows the agents {shown}, not the one that was chosen")
    return problems


def tuning(page):
    return curves(page) + equations(page) + samples(page)


def scoring(page):
    """A reward model scores text and writes none."""
    return curves(page) + equations(page)


def diffusion(page):
    return curves(page) + equations(page) + samples(page) + expect(page, ["#samples img", "#chart-noise"])


def scaling(page):
    problems = equations(page) + expect(page, ["#loss svg", "#sizes svg"])
    runs = page.locator("[data-run]")
    if runs.count() > 0:
        envelope = page.locator("#envelope")
        runs.first.dispatch_event("click")
        if not page.locator("#without").text_content():
            problems.append("leaving a run out says nothing")
        without = envelope.get_attribute("points")
        runs.first.dispatch_event("click")
        if page.locator("#without").text_content() or envelope.get_attribute("points") == without:
            problems.append("the run cannot be put back, or its absence does not move the fit")
    return problems


def hostile(page):
    """Text from outside stays text."""
    problems = drawn(page, [".policy-map"])
    if page.evaluate("window.stolen"):
        problems.append("a name was run as a script")
    if page.locator("#policy img").count() > 0:
        problems.append("a name became markup")
    if "<img" not in page.locator(".policy-key").first.text_content():
        problems.append("the name does not show")
    return problems


USES = {
    "language": language, "policy": policy, "study": study, "sft": tuning, "reward": scoring, "dpo": tuning,
    "grpo": tuning, "rlhf": tuning,
    "diffusion": diffusion, "scaling": scaling, "hostile": hostile,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", metavar="KIND=PAGE")
    parser.add_argument("--pictures", type=pathlib.Path)
    options = parser.parse_args()
    failed = False
    with open_browser() as browser:
        for argument in options.pages:
            kind, _, path = argument.partition("=")
            url = pathlib.Path(path).resolve().as_uri()
            problems = check(browser, url, USES[kind])
            for problem in problems:
                print(f"{kind}: {problem}")
            failed = failed or bool(problems)
            if options.pictures:
                options.pictures.mkdir(parents=True, exist_ok=True)
                for width in WIDTHS:
                    for scheme in SCHEMES:
                        with visit(browser, url, width, scheme) as (page, _):
                            page.wait_for_timeout(200)
                            page.screenshot(path=options.pictures / f"{kind}-{width}-{scheme}.png", full_page=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
