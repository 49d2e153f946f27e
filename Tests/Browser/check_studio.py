"""Opens Nabla Studio in a browser, uses it as a reader may, and fails where something is wrong.

Usage: check_studio.py PROGRAM [--pictures FOLDER] [--only WORD] [--page FOLDER]   where PROGRAM is nabla-studio, and
--page serves the page's files from a folder instead of those that were built in.
"""

import argparse
import contextlib
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

from browser import SCHEMES, cut_off, inaccessible, open_browser, overflow, visit

STEPS = ("attention", "transformer", "diffusion", "rlhf", "lora", "scaling", "map", "summary")
WIDTHS = (390, 768, 1440)
LONG = 20_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Studio:
    """The program on a port."""

    extra = ()

    def __init__(self, program, port=None, more=()):
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [program, "--no-open", "--port", str(self.port), *self.extra, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        begin = time.monotonic()
        self.line = self.process.stdout.readline()
        self.seconds = time.monotonic() - begin
        self.url = f"http://127.0.0.1:{self.port}/"

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.process.wait(timeout=15)

    def get(self, path, method="GET", headers=None):
        """Status, headers and body of a request with these headers, which may lie about host and origin."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True)
        for name, value in ({"Host": f"127.0.0.1:{self.port}"} | (headers or {})).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, dict(response.headers), body


@contextlib.contextmanager
def running(program, *more):
    studio = Studio(program, more=more)
    try:
        yield studio
    finally:
        if studio.process.poll() is None:
            studio.stop(signal.SIGKILL)


def ready(page, step):
    """Waits until the step has loaded and answered."""
    page.wait_for_selector(f'main[data-ready="{step}"]', timeout=LONG)
    page.wait_for_timeout(400)
    page.wait_for_selector("[aria-busy]", state="detached", timeout=LONG)


def leave_no_origin(page, studio, problems):
    page.on("request", lambda request: problems.append(f"a request left the origin: {request.url}")
            if not request.url.startswith((studio.url, "data:", "blob:")) else None)


# Each check is a function of the browser, the studio and the arguments, and returns what is wrong.

def check_server(browser, studio, arguments):
    problems = []
    if "http://127.0.0.1" not in studio.line:
        problems.append(f"it printed {studio.line!r} instead of an address")
    ask = "/api/attention/attend?layer=0"
    own = f"127.0.0.1:{studio.port}"
    for headers in ({"Host": "evil.example"}, {"Host": None}, {"Host": f"evil.example:{studio.port}"},
                    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        status, _, body = studio.get(ask, headers=headers)
        if status not in (400, 403) or b"value" in body:
            problems.append(f"{headers} got {status}: {body[:80]!r}")
    status, _, _ = studio.get(ask, headers={"Host": f"localhost:{studio.port}", "Origin": f"http://{own}"})
    if status != 200:
        problems.append(f"its own origin got {status}")
    status, headers, _ = studio.get("/")
    if status != 200 or "default-src 'self'" not in headers.get("content-security-policy", headers.get("Content-Security-Policy", "")):
        problems.append(f"the page has status {status} and headers {headers}")
    for path in ("/../Package.swift", "/%2e%2e/Package.swift", "/.git/config", "/katex/../katex/katex.js", "/steps"):
        status, _, _ = studio.get(path)
        if status != 404:
            problems.append(f"{path} got {status}")
    for query in ("layer=nan", "layer=1e9", "layer=-1", "temperature=Infinity", "head=%", "text=", "causal=perhaps"):
        status, _, body = studio.get("/api/attention/attend?" + query)
        if status != 400 or "problem" not in json.loads(body):
            problems.append(f"{query} got {status}: {body[:80]!r}")
    other = subprocess.run([arguments.program, "--no-open", "--port", str(studio.port)], capture_output=True, text=True, timeout=20)
    if other.returncode == 0 or "taken" not in other.stderr + other.stdout:
        problems.append(f"a taken port: {other.returncode} {other.stderr}")
    return problems


def check_steps(browser, studio, arguments):
    """Every step at every width in every theme."""
    problems = []
    for step in STEPS:
        for width in WIDTHS:
            with visit(browser, studio.url + "#" + step, width) as (page, complaints):
                leave_no_origin(page, studio, problems)
                ready(page, step)
                found = [f"scrolls sideways: {overflow(page)}"] if overflow(page) else []
                found += [f"says {text!r}" for text in page.locator(".problem:visible").all_text_contents()]
                if page.locator(".tex.plain").count():
                    found.append("a formula was not set")
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    page.wait_for_timeout(150)
                    if width != 768:
                        found += [f"{scheme}: {problem}" for problem in inaccessible(page)]
                    if arguments.pictures:
                        page.screenshot(path=f"{arguments.pictures}/{step}-{width}-{scheme}.png", full_page=True)
                problems += [f"{step}, {width} px: {problem}" for problem in found + complaints]
    return problems


def check_zoom(browser, studio, arguments):
    """A window of 1440 px at 200 %: nothing scrolls sideways, nothing is cut off."""
    problems = []
    for step in STEPS:
        with visit(browser, studio.url + "#" + step, zoom=2) as (page, complaints):
            ready(page, step)
            found = [f"scrolls sideways: {overflow(page)}"] if overflow(page) else []
            found += [f"cuts off {what}" for what in cut_off(page)]
            if arguments.pictures:
                page.screenshot(path=f"{arguments.pictures}/{step}-zoomed.png", full_page=True)
            problems += [f"{step}: {problem}" for problem in found + complaints]
    return problems


def check_keys(browser, studio, arguments):
    problems = []
    with visit(browser, studio.url) as (page, complaints):
        ready(page, "attention")

        def expect(keys, step, what):
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_timeout(200)
            now = page.evaluate("location.hash.slice(1).split('?')[0]") or "attention"
            if now != step:
                problems.append(f"{what}: {now} instead of {step}")
        expect(["ArrowRight"], "transformer", "right arrow")
        expect(["End"], "summary", "End")
        expect(["ArrowLeft"], "map", "left arrow")
        expect(["Home"], "attention", "Home")
        expect(["6"], "scaling", "digit 6")
        expect(["1"], "attention", "digit 1")
        ready(page, "attention")
        page.locator("textarea").first.focus()
        expect(["End", "7", "Space", "ArrowLeft"], "attention", "keys in a text")
        if "7 " not in page.locator("textarea").first.input_value():
            problems.append("a text does not take keys")
        page.locator('input[name="layer"]').first.focus()
        expect(["ArrowRight"], "attention", "arrow in a slider")
        if page.locator("#play").get_attribute("aria-pressed") != "false":
            problems.append("Space in a text started playing")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("Space")
        if page.locator("#play").get_attribute("aria-pressed") != "true":
            problems.append("Space does not play")
        problems += complaints
    return problems


def check_address(browser, studio, arguments):
    """The same address in a fresh browser shows the same numbers; nonsense in it is told and does no harm."""
    problems = []
    address = "#attention?text=Good%20morning%20%F0%9F%90%88&layer=1&head=2&temperature=0.5&scaled=0&causal=0&row=1"
    seen = []
    for _ in range(2):
        with visit(browser, studio.url + address) as (page, complaints):
            ready(page, "attention")
            seen.append(page.evaluate("""() => [location.hash, document.querySelector('.said').textContent,
              document.querySelector('.facts').textContent, document.querySelector('[data-tensor=W] canvas').toDataURL()]"""))
            problems += complaints
    if seen[0] != seen[1] or seen[0][0] != address:
        problems.append(f"the address {address} showed {[s[:3] for s in seen]}")
    with visit(browser, studio.url + "#attention?layer=999&head=x&temperature=NaN&row=-5&nothing=1&text=%E0%A4%A") as (page, complaints):
        ready(page, "attention")
        # Told, and still there after the answers.
        page.wait_for_timeout(1000)
        told = lambda: " ".join(page.locator(".problem:visible").all_text_contents())
        for name, value in (("layer", "999"), ("head", "x"), ("temperature", "NaN"), ("row", "-5")):
            if f"{name} cannot be “{value}”" not in told():
                problems.append(f"{name}={value} in the address is not told: {told()!r}")
        if not page.locator(".said").first.text_content():
            problems.append("nonsense in the address: nothing is shown")
        page.locator('input[name="layer"]').first.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(700)
        if "layer cannot" in told() or "head cannot" not in told():
            problems.append(f"after another layer was chosen it says {told()!r}")
        problems += complaints
    with visit(browser, studio.url + "#attention") as (page, complaints):
        ready(page, "attention")
        for text in ("", "word " * 2000, "שלום עולם", "🐈‍⬛🐈"):
            page.locator("textarea").first.fill(text)
            page.wait_for_timeout(700)
        if not page.locator(".token").count():
            problems.append("no tokens after an odd text")
        # A refused question is an entry on the browser's console; nothing else may be there.
        problems += [c for c in complaints if "400" not in c]
    return problems


def check_slider(browser, studio, arguments):
    """200 events in a second leave at most two questions on their way, and the last value shown."""
    with visit(browser, studio.url + "#attention") as (page, complaints):
        ready(page, "attention")
        counts = {"now": 0, "most": 0, "all": 0}

        def began(request):
            if "/api/attention/attend" in request.url:
                counts["now"] += 1
                counts["all"] += 1
                counts["most"] = max(counts["most"], counts["now"])

        def ended(request):
            if "/api/attention/attend" in request.url:
                counts["now"] -= 1
        page.on("request", began)
        page.on("requestfinished", ended)
        page.on("requestfailed", ended)
        shown = page.evaluate("""async () => {
          const slider = document.querySelector('input[name=head]');
          for (let i = 0; i < 200; i++) {
            slider.value = i % (Number(slider.max) + 1);
            slider.dispatchEvent(new Event('input', { bubbles: true }));
            await new Promise(resolve => setTimeout(resolve, 5));
          }
          slider.value = 1;
          slider.dispatchEvent(new Event('input', { bubbles: true }));
          return slider.max;
        }""")
        page.wait_for_timeout(1500)
        page.wait_for_selector("[aria-busy]", state="detached", timeout=LONG)
        text = page.locator(".facts").first.text_content()
        status, _, body = studio.get("/api/attention/attend?text=The%20cat%20sat%20on%20the%20mat%20because%20it%20was%20tired.&layer=2&head=1&temperature=1&scaled=1&causal=1")
        value = json.loads(body)["value"]
        mean = sum(value["entropies"]) / len(value["entropies"])
        problems = complaints
        if counts["most"] > 2:
            problems.append(f"{counts['most']} questions were on their way at once")
        if f"{mean:.2f} nats" not in text:
            problems.append(f"the last value is not shown: {mean:.2f} is not in {text!r}; sliders go to {shown}")
        return problems


def check_shown(browser, studio, arguments):
    """The weights on the page are those of the program."""
    with visit(browser, studio.url + "#attention") as (page, complaints):
        ready(page, "attention")
        status, _, body = studio.get("/api/attention/attend")
        weights = json.loads(body)["value"]["weights"]
        count = weights["shape"][0]
        page.locator(".token").nth(count - 1).click()
        page.wait_for_timeout(300)
        titles = [token.get_attribute("title") for token in page.locator(".token").all()]
        expected = [f"{100 * w:.1f} % of the weight" for w in weights["values"][(count - 1) * count:]]
        return complaints + ([] if titles == expected else [f"shown {titles}, computed {expected}"])


def check_delay(browser, studio, arguments):
    """From an input to the paint of its answer: how long, is a matter of the computer's speed, which no test depends on."""
    problems = []
    with running(arguments.program, "--model", "") as small:
        for address, lab, name, limit in (("#attention", "attend", "head", 100), ("#scaling", "budget", "compute", 50)):
            with visit(browser, small.url + address) as (page, complaints):
                ready(page, address[1:])
                times = page.evaluate("""async ([lab, name]) => {
                  const root = document.querySelector(`section[data-lab=${lab}] .lab`);
                  const slider = root.querySelector(`input[name=${name}]`), source = root.querySelector(".source");
                  const times = [];
                  for (let i = 0; i < 40; i++) {
                    const begin = performance.now();
                    slider.value = Number(slider.min) + (i + 1) % 4 * Number(slider.step);
                    slider.dispatchEvent(new Event("input", { bubbles: true }));
                    await new Promise(resolve => {
                      const observer = new MutationObserver(() => { observer.disconnect(); requestAnimationFrame(() => setTimeout(resolve)); });
                      observer.observe(source, { childList: true });
                    });
                    times.push(performance.now() - begin);
                  }
                  return times.sort((a, b) => a - b);
                }""", [lab, name])
                print(f"  {lab}: input to paint {times[37]:.0f} ms at the 95th percentile"
                      f"{'' if times[37] <= limit else f' (more than {limit})'}, median {times[20]:.0f}")
                problems += complaints
    return problems


def check_scaling(browser, studio, arguments):
    """Dragging refits, numbers are typed, and a trained model shows its budget."""
    problems = []
    with visit(browser, studio.url + "#scaling") as (page, complaints):
        ready(page, "scaling")
        text = lambda lab, part: page.locator(f'section[data-lab="{lab}"] {part}').first.text_content()
        before = text("fit", ".facts")
        dot = page.locator('section[data-lab="fit"] .dot').first
        dot.scroll_into_view_if_needed()
        box = dot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 60, steps=5)
        page.mouse.up()
        page.wait_for_timeout(600)
        if text("fit", ".facts") == before or "losses=" not in page.evaluate("location.hash"):
            problems.append(f"a dragged point changes nothing: {before!r}")
        page.locator('input[name="parameters"]').fill("70B")
        page.locator('input[name="tokens"]').fill("1.4T")
        page.wait_for_timeout(600)
        if "= 5.88·10²³ FLOP" not in text("hand", ".sum"):
            problems.append(f"6 × 70B × 1.4T is {text('hand', '.sum')!r}")
        page.locator('input[name="tokens"]').fill("many")
        page.wait_for_timeout(200)
        if "write a number" not in text("hand", ".problem:visible"):
            problems.append("“many” tokens are not refused")
        page.locator('section[data-lab="budget"] summary').click()
        page.get_by_role("button", name="Chinchilla").click()
        page.wait_for_timeout(600)
        if "Chinchilla spent this budget on 70B parameters and 1.4T tokens" not in text("budget", ".said"):
            problems.append(f"Chinchilla's budget: {text('budget', '.said')!r}")
        problems += complaints
    return problems


def check_no_model(browser, studio, arguments):
    """A file that is no language model: the steps that need one say so, the others work."""
    problems = []
    with running(arguments.program, "--model", "README.md") as other:
        with visit(browser, other.url + "#attention") as (page, complaints):
            page.wait_for_selector('main[data-ready="attention"]', timeout=LONG)
            told = page.locator(".problem:visible").first.text_content()
            if "README.md" not in told:
                problems.append(f"a model that is none: {told!r}")
            page.keyboard.press("6")
            ready(page, "scaling")
            if page.locator(".problem:visible").count():
                problems.append("a step that needs no model complains")
            problems += [c for c in complaints if "400" not in c and "README.md" not in c]
    return problems


def check_training(browser, studio, arguments):
    """The live training draws, pauses, steps, and ends with its tab."""
    problems = []
    with visit(browser, studio.url + "#transformer") as (page, complaints):
        ready(page, "transformer")
        lab = page.locator('section[data-lab="train"] .lab')
        lab.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_timeout(1500)
        before = int(lab.get_attribute("data-frames") or 0)
        page.wait_for_timeout(2000)
        rate = (int(lab.get_attribute("data-frames") or 0) - before) / 2
        # How many is a matter of the computer's speed, which no test depends on.
        print(f"  live training: {rate:g} frames a second")
        if rate == 0:
            problems.append("the live training draws nothing")
        lab.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(600)
        step = lambda: lab.locator(".said").text_content().split(" · ")[0]
        paused = step()
        page.wait_for_timeout(700)
        if step() != paused:
            problems.append(f"a paused training went from {paused} to {step()}")
        lab.get_by_role("button", name="One step").click()
        page.wait_for_timeout(700)
        number = lambda text: int(text.replace("step ", "").replace(",", ""))
        if number(step()) != number(paused) + 1:
            problems.append(f"one step went from {paused} to {step()}")
        lab.get_by_role("button", name="Continue").click()
        page.wait_for_timeout(300)
        problems += complaints
    # The tab is closed: after a moment four others can start.
    time.sleep(2)
    pages = [visit(browser, studio.url + "#transformer") for _ in range(2)]
    for one in pages:
        with one as (page, complaints):
            ready(page, "transformer")
            page.get_by_role("button", name="Train", exact=True).click()
            page.wait_for_timeout(1000)
            problems += [f"second tab: {text}" for text in page.locator('section[data-lab="train"] .problem:visible').all_text_contents()]
    return problems


def check_ranking(browser, studio, arguments):
    """The reader ranks pairs; the same address in a fresh browser learns the same judge."""
    problems, seen = [], []
    judged = 'section[data-lab="judge"] .lab'
    for _ in range(2):
        with visit(browser, studio.url + "#rlhf?choices=ab") as (page, complaints):
            page.wait_for_selector(judged + " .answered button:enabled", timeout=60_000)
            page.wait_for_selector('section[data-lab="hack"] table:not([hidden])', timeout=LONG)
            page.wait_for_selector('section[data-lab="preference"] table:not([hidden])', timeout=60_000)
            seen.append([page.locator(judged + " " + part).text_content() for part in (".facts", ".guess", ".pair")]
                        + page.locator('section[data-lab="hack"] table').all_text_contents())
            if len(seen) == 2:
                page.locator(judged + " .answered button").first.click()
                page.wait_for_selector(judged + ' .facts dd:has-text("3of at most")', timeout=LONG)
                if "choices=aba" not in page.url:
                    problems.append(f"after a choice the address is {page.url}")
                page.get_by_role("button", name="Start over").click()
                page.wait_for_timeout(500)
                if "choices" in page.url or page.locator('section[data-lab="hack"] table').first.is_visible():
                    problems.append("starting over leaves something of the choices")
            problems += complaints
    if seen[0] != seen[1]:
        problems.append(f"the same address showed {seen}")
    return problems


def check_game(browser, studio, arguments):
    """The page's CartPole is the library's, step by step; the arrows belong to the game while it is played."""
    problems = []
    with visit(browser, studio.url + "#rlhf?start=5") as (page, complaints):
        ready(page, "rlhf")
        lab = page.locator('section[data-lab="balance"] .lab')
        lab.scroll_into_view_if_needed()
        page.wait_for_selector('section[data-lab="balance"] button:has-text("Watch"):enabled', timeout=60_000)
        if int(lab.get_attribute("data-frames") or 0) < 2:
            problems.append("the learning curve was not painted while it grew")
        error = page.evaluate("""async () => {
          const { step, hasFallen } = await import('/steps/rlhf/cartpole.js');
          const { value } = await (await fetch('/api/rlhf/rivals?ppo=1&start=5')).json();
          let most = 0;
          for (const { states, actions, length } of value.episodes) {
            const at = t => states.slice(4 * t, 4 * t + 4);
            for (let t = 0; t < length; t++) step(at(t), actions[t]).forEach((v, i) => { most = Math.max(most, Math.abs(v - at(t + 1)[i])); });
            if (hasFallen(at(length)) !== (length < 500) || hasFallen(at(length - 1))) most = Infinity;
          }
          return most;
        }""")
        if not error < 1e-6:
            problems.append(f"the page's steps differ from the library's by {error}")
        lab.get_by_role("button", name="Play", exact=True).click()
        for key in ("ArrowRight", "ArrowLeft", "ArrowRight"):
            page.keyboard.press(key)
        page.wait_for_timeout(200)
        if not page.url.split("#")[1].startswith("rlhf") or lab.locator(".arena output").first.text_content() != "3 steps":
            problems.append(f"three keys of the game: {page.url}, {lab.locator('.arena output').all_text_contents()}")
        for _ in range(60):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(1200)
        if "You balanced" not in lab.locator(".said").text_content() or not page.url.split("#")[1].startswith("rlhf"):
            problems.append(f"the end of the game: {page.url}, {lab.locator('.said').text_content()!r}")
        page.keyboard.press("ArrowRight")
        ready(page, "lora")
        page.keyboard.press("ArrowLeft")
        ready(page, "rlhf")
        page.locator('section[data-lab="balance"]').get_by_role("button", name="Play", exact=True).click()
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowLeft")
        ready(page, "diffusion")
        # A training ends where its step is left.
        problems += [c for c in complaints if "learn/stream" not in c and "api/alive" not in c]
    return problems


def check_connection(browser, studio, arguments):
    """Killing the program shows "Disconnected" within three seconds; starting it again brings the page back."""
    problems = []
    own = Studio(arguments.program)
    with visit(browser, own.url + "#attention?layer=1") as (page, complaints):
        ready(page, "attention")
        own.stop(signal.SIGKILL)
        begin = time.monotonic()
        try:
            page.wait_for_selector("#connection:not([hidden])", timeout=5000)
            seconds = time.monotonic() - begin
            if seconds > 3:
                problems.append(f"it took {seconds:.1f} s to say that it is disconnected")
        except Exception:
            problems.append("it does not say that it is disconnected")
        page.locator('input[name="layer"]').first.focus()
        page.keyboard.press("ArrowRight")
        own = Studio(arguments.program, port=own.port)
        page.wait_for_selector("#connection", state="hidden", timeout=8000)
        page.wait_for_timeout(1500)
        if "layer=2" not in page.evaluate("location.hash") and page.evaluate("location.hash") != "#attention":
            problems.append(f"after reconnecting the address is {page.evaluate('location.hash')}")
        problems += [c for c in complaints if "ERR_CONNECTION" not in c and "request:" not in c]
    if own.stop() != 0:
        problems.append("Ctrl-C does not end it well")
    try:
        again = Studio(arguments.program, port=own.port)
        if "http" not in again.line:
            problems.append(f"the port is not free after Ctrl-C: {again.line}")
        again.stop()
    except Exception as error:
        problems.append(f"the port is not free after Ctrl-C: {error}")
    return problems


def check_export(browser, studio, arguments):
    """The exported page works from a disk, says that it was recorded, and asks nobody."""
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([arguments.program, "--export", folder, *Studio.extra], capture_output=True, text=True, timeout=900)
        if done.returncode != 0:
            return [f"--export: {done.returncode} {done.stderr}"]
        for step in STEPS:
            with visit(browser, pathlib.Path(folder, "index.html").as_uri() + "#" + step) as (page, complaints):
                page.on("request", lambda request: problems.append(f"{step} asked for {request.url[:80]}")
                        if not request.url.startswith(("data:", "file:", "blob:")) else None)
                ready(page, step)
                sources = page.locator(".source:visible").all_text_contents()
                if not sources or not any(text.startswith("recorded") for text in sources):
                    problems.append(f"{step} does not say that it was recorded: {sources}")
                problems += [f"{step} says {text!r}" for text in page.locator(".problem:visible").all_text_contents()]
                if page.locator(".tex.plain").count():
                    problems.append(f"{step}: a formula was not set")
                problems += [f"{step}: {complaint}" for complaint in complaints]
    return problems


def check_one_step(browser, studio, arguments):
    """A page of one step has nothing that leads to the others."""
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([arguments.program, "--export", folder, "--step", "6", *Studio.extra], capture_output=True, text=True, timeout=900)
        if done.returncode != 0:
            return [f"--export --step: {done.returncode} {done.stderr}"]
        with visit(browser, pathlib.Path(folder, "index.html").as_uri()) as (page, complaints):
            ready(page, "scaling")
            links = {link.get_attribute("href") for link in page.locator("a[href]").all()}
            if links - {"#scaling", "#step"}:
                problems.append(f"links lead to {links}")
            sources = page.locator(".source").all_text_contents()
            if len(sources) < 4 or not all(text.startswith("recorded") for text in sources):
                problems.append(f"its laboratories say {sources}")
            problems += complaints
        for flags, complaint in [
            (["--export", folder, "--step", "nine"], "there is no step nine"),
            (["--export", folder, "--port", "8118"], "leave out --port"),
            (["--export", folder, "--no-open"], "leave out --no-open"),
            (["--export", folder, "--run", f"{folder}/typo"], f"there is no folder {folder}/typo"),
        ]:
            wrong = subprocess.run([arguments.program, *flags], capture_output=True, text=True, timeout=30)
            if wrong.returncode == 0 or complaint not in wrong.stderr:
                problems.append(f"{flags[2:]}: {wrong.returncode} {wrong.stderr}")
    return problems


CHECKS = [
    check_server, check_steps, check_zoom, check_keys, check_address, check_slider, check_shown, check_delay, check_scaling,
    check_no_model, check_training, check_ranking, check_game, check_connection, check_export, check_one_step,
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--pictures")
    parser.add_argument("--only", default="")
    parser.add_argument("--page")
    arguments = parser.parse_args()
    if arguments.page:
        Studio.extra = ("--page", arguments.page)
    # Without a model the program would train one meanwhile.
    models = pathlib.Path(".models")
    if not [*models.glob("SmolLM2*.gguf"), *models.glob("studio/model/config.json")]:
        Studio.extra += ("--model", "")
    if arguments.pictures:
        pathlib.Path(arguments.pictures).mkdir(parents=True, exist_ok=True)
    failed = 0
    with open_browser() as browser, running(arguments.program) as studio:
        if studio.seconds > 1:
            print(f"note: the address was printed after {studio.seconds:.1f} s")
        for one in CHECKS:
            name = one.__name__.removeprefix("check_")
            if arguments.only not in name:
                continue
            begin = time.monotonic()
            problems = one(browser, studio, arguments)
            print(f"{'ok' if not problems else 'FAILED'}  {name} ({time.monotonic() - begin:.1f} s)", flush=True)
            for problem in dict.fromkeys(problems):
                print(f"  {problem}")
            failed += bool(problems)
    sys.exit(1 if failed else 0)


main()
