"""The page in a real browser: what a person does, and the numbers of the command line.

Needs Chromium and the extra "web-test". `ZOO_SCREENSHOTS=docs/images pytest tests/test_web.py -k
screenshots` writes the pictures of docs/web.md.
"""

import csv
import functools
import io
import itertools
import json
import os
import re
import shutil
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import own_models
import pytest
import soundfile
from conftest import CHECKOUT

import zoo
from zoo import audio
from zoo.errors import ShortWarning
from zoo.utils import server
from zoo.weights import site

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need the extra web-test (playwright)"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="the browser tests need Chromium: apt-get install chromium"
)

TOLERANCE = 0.01  # in a tag's score
FAST = "dieleman2014.zoo"  # 7 ms a segment
SPENT = 60_000  # most milliseconds for a song; a few seconds where nothing else runs


@contextmanager
def serving(folder):
    """Serve a folder; yields the address."""
    opened = server.open_server(folder, 0)
    thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://localhost:{opened.server_port}/"
    finally:
        opened.shutdown()
        opened.server_close()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page with an own model, which comes first."""
    path = tmp_path_factory.mktemp("web")
    site.write(path / "site", [own_models.write(path / "mine.onnx")], level=1)
    return path / "site"


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium does not start as root otherwise
    with playwright.sync_playwright() as p:
        started = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


class Page:
    """A tab that has opened the page; notes each request, console error and uncaught exception."""

    def __init__(self, browser, address, query="", **options):
        self.context = browser.new_context(permissions=["microphone"], **options)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(SPENT)
        self.address = address
        self.requests, self.errors = [], []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", self._console)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.goto(address + query)
        self.wait("ready")

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def wait(self, what):
        self.tab.wait_for_selector(f"body[data-{what}]", state="attached")

    def until(self, condition):
        """Wait for a condition; playwright's own function is refused by the page's policy."""
        end = time.monotonic() + SPENT / 1000
        while not self.tab.evaluate(condition):
            assert time.monotonic() < end, condition
            self.tab.wait_for_timeout(50)

    def begin(self, path):
        """Give the page a file, and do not wait for the result."""
        self.tab.evaluate("delete document.body.dataset.done")
        self.tab.set_input_files("#file", path)

    def predict(self, path):
        """Give the page a file; return the scores of the song, model -> label -> score."""
        self.begin(path)
        return self.scores()

    def scores(self):
        self.wait("done")
        frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.tab.evaluate(frame)  # what the result moves has moved
        rows = self.tab.eval_on_selector_all(
            "#table tr", "rows => rows.map(r => [...r.children].map(c => c.textContent))"
        )
        (_, *models), *body = rows
        return {
            model: {row[0]: float(row[k]) for row in body if row[k] != "not a tag"}
            for k, model in enumerate(models, 1)
        }

    def text(self, selector):
        return self.tab.inner_text(selector)

    def evaluate(self, script, argument=None):
        """Run a script with the page's own modules `engine` and `resample`."""
        modules = "const [engine, { resample }] = await Promise.all("
        modules += "['./engine.js', './resample.js'].map(m => import(new URL(m, location))));"
        return self.tab.evaluate(f"async (given) => {{ {modules} {script} }}", argument)

    def check(self):
        """Fail if something left the page's origin, or went wrong in silence."""
        own = (self.address, "blob:" + self.address, "data:")
        assert [url for url in self.requests if not url.startswith(own)] == []
        errors, self.errors = self.errors, []
        assert errors == []


@pytest.fixture(scope="module")
def shared(browser, address):
    """One tab for the tests that need nothing special, with the fast model."""
    page = Page(browser, address, f"?model={FAST}", viewport={"width": 1200, "height": 900})
    yield page
    page.context.close()


@pytest.fixture
def page(shared):
    shared.tab.select_option("#model", FAST)
    shared.tab.select_option("#second", "")
    yield shared
    shared.check()


@functools.cache
def model(name):
    return zoo.load(name, runtime="onnx")


def agree(found, sound, name):
    """Compare the page's scores with those of `zoo tag`: within the tolerance and in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortWarning)
        expected = model(name).tag(sound, top=None).to_dict()
    best = list(expected)[:10]
    assert found.keys() == expected.keys()
    assert max(abs(found[label] - expected[label]) for label in expected) <= TOLERANCE
    for first, second in itertools.pairwise(best):
        if expected[first] - expected[second] > 0.02:
            assert found[first] > found[second]


@pytest.fixture(scope="module")
def files(tmp_path_factory, example):
    """The example in other formats, and sounds at the edges."""
    path = tmp_path_factory.mktemp("sounds")
    sound, rate = soundfile.read(example, dtype="float32")
    soundfile.write(path / "song.wav", audio.load(example, 48000), 48000, "PCM_24")
    soundfile.write(path / "song.mp3", sound, rate)
    soundfile.write(path / "song.ogg", audio.load(example, 22050), 22050)
    soundfile.write(path / "short.wav", sound[rate : 2 * rate], rate)
    soundfile.write(path / "silence.wav", np.zeros(4 * rate), rate)
    long = np.resize(audio.load(example, 16000), 600 * 16000)
    soundfile.write(path / "long.wav", long, 16000)
    stereo = np.stack([long[: 330 * 16000], long[-330 * 16000 :] / 2], axis=1)
    for name in ("long.flac", "long.mp3", "long.ogg"):
        with soundfile.SoundFile(path / name, "w", 16000, 2) as file:
            for piece in np.array_split(stereo, 330):  # libsndfile crashes on much Vorbis at once
                file.write(piece)
    (path / "song.txt").write_text("These are words, not a song.\n" * 40)
    (path / "empty.wav").touch()
    return path


def test_the_dropped_example_has_the_tags_of_the_command_line(page, example):
    page.tab.select_option("#model", "pons2017.mtt")
    page.tab.evaluate(
        """async () => {
            delete document.body.dataset.done;
            const { example } = await (await fetch("zoo.json")).json();
            const content = await (await fetch(example)).blob();
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([content], "dropped.flac"));
            const options = { dataTransfer, bubbles: true, cancelable: true };
            document.getElementById("drop").dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    found = page.scores()["pons2017.mtt"]
    agree(found, example, "pons2017.mtt")
    assert page.text("#song-name") == "dropped.flac"
    assert list(found)[:3] == ["piano", "classical", "solo"]
    assert page.tab.evaluate("self.crossOriginIsolated")
    assert json.loads(page.tab.get_attribute("body", "data-done"))["threads"] >= 1


@pytest.mark.parametrize(
    "name", ["song.wav", "song.mp3", "song.ogg", "short.wav", "long.wav", "long.mp3"]
)
def test_other_files_have_the_tags_of_the_command_line(name, page, files):
    agree(page.predict(files / name)[FAST], files / name, FAST)
    assert page.tab.is_hidden("#error")
    assert page.tab.is_visible("#notice") == (name == "short.wav")
    if name == "long.wav":
        assert "10:00 of audio" in page.text("#status")
    if name.startswith("long"):
        assert any(url.endswith(site.LONG_FILES) for url in page.requests)


@pytest.mark.parametrize(
    ("name", "words"), [("song.txt", "cannot decode the file"), ("empty.wav", "is empty")]
)
def test_a_file_without_audio_is_refused_in_a_sentence(name, words, page, files, example):
    page.begin(files / name)
    page.tab.wait_for_selector("#error:not([hidden])")
    assert words in page.text("#error")
    assert page.tab.is_hidden("#progress")
    page.predict(example)  # the page goes on
    assert page.tab.is_hidden("#error")


@pytest.mark.parametrize("name", ["long.flac", "long.mp3", "long.ogg", "long.wav"])
def test_a_long_file_is_decoded_in_pieces(name, page, files):
    page.tab.evaluate(
        "document.body.append(Object.assign(document.createElement('input'), "
        "{ type: 'file', id: 'long' }))"
    )
    page.tab.set_input_files("#long", files / name)
    found = page.evaluate(
        """
        const { decodeInPieces } = await import(new URL("pieces.js", location));
        const input = document.getElementById("long");
        const limits = { samples: 1e8, seconds: 3600 };
        let steps = 0;
        const { samples, rate } = await decodeInPieces(input.files[0], limits, () => steps++);
        input.remove();
        const some = Array.from({ length: 300 }, (_, i) => samples[i * rate]);
        return { length: samples.length, rate, steps, some };
        """
    )
    expected = audio.load(files / name, 16000)
    assert found["rate"] == 16000
    assert found["steps"] > 100
    assert abs(found["length"] - len(expected)) <= 0.1 * 16000  # padding of MP3 and Vorbis
    if name in ("long.flac", "long.wav"):
        np.testing.assert_allclose(found["some"], expected[::16000][:300], atol=1e-6)


def test_silence_is_named(page, files):
    page.predict(files / "silence.wav")
    assert "silent" in page.text("#notice")


def test_a_song_over_an_hour_is_refused_before_it_is_decoded(page, tmp_path):
    hour = tmp_path / "hour.wav"
    with soundfile.SoundFile(hour, "w", 3000, 1, "PCM_U8") as file:
        for _ in range(61):
            file.write(np.zeros(60 * 3000))
    page.begin(hour)
    page.tab.wait_for_selector("#error:not([hidden])")
    assert "over an hour" in page.text("#error")
    assert "zoo tag" in page.text("#error")


def test_cancel_stops_and_the_page_goes_on(page, files, example):
    page.tab.select_option("#model", "lee2009.zoo")
    page.begin(files / "long.wav")
    page.until("document.getElementById('step').textContent.includes('segment')")
    page.tab.click("#cancel")
    assert page.text("#status") == "Cancelled."
    page.tab.wait_for_timeout(300)
    assert page.text("#status") == "Cancelled."
    assert page.tab.get_attribute("body", "data-done") is None
    page.tab.select_option("#model", FAST)
    agree(page.predict(example)[FAST], example, FAST)


def test_two_models_side_by_side(page, example):
    page.predict(example)
    page.tab.evaluate("delete document.body.dataset.done")
    page.tab.select_option("#second", "lee2017.zoo")
    found = page.scores()
    for name in (FAST, "lee2017.zoo"):
        agree(found[name], example, name)
    assert page.tab.locator("#bars h3").all_inner_texts() == [f"{FAST}, now", "lee2017.zoo, now"]
    assert "licence\nApache-2.0" in page.text("#second-card")


def test_the_own_model_is_on_the_page(page, example):
    page.predict(example)
    page.tab.evaluate("delete document.body.dataset.done")
    page.tab.select_option("#model", "mine")
    found = page.scores()["mine"]
    expected = list(model(FAST).tag(example, top=None).scores)
    assert found["first of mine"] == pytest.approx(expected[0], abs=TOLERANCE)
    assert "mine (your own)" in page.tab.locator("#model option").all_inner_texts()


def test_the_picture_shows_values_and_a_click_seeks(page, example):
    page.predict(example)
    page.tab.locator("#canvas").scroll_into_view_if_needed()
    box = page.tab.locator("#canvas").bounding_box()
    middle = box["x"] + 156 + (box["width"] - 166) / 2
    page.tab.mouse.move(middle, box["y"] + 112 + 34 + 10)
    best = model(FAST).tag(example).labels
    assert re.fullmatch(r".+ [01]\.\d\d at 0:15", page.text("#tip"))
    assert any(page.text("#tip").startswith(label) for label in best)
    page.tab.mouse.click(middle, box["y"] + 20)
    now = page.tab.evaluate("document.getElementById('audio').currentTime")
    assert now == pytest.approx(31.555 / 2, abs=0.2)
    page.tab.evaluate("document.activeElement.blur()")
    page.tab.keyboard.press("ArrowRight")
    assert page.text("#time") == "0:20 / 0:31"
    page.tab.focus("#seek")
    page.tab.keyboard.press("Home")
    assert page.text("#time") == "0:00 / 0:31"
    gram = model(FAST).taggram(example)
    shown = page.tab.locator("#bars li").first
    label, value = shown.inner_text().split("\n")
    first = gram.values[0, gram.labels.index(label)]
    assert float(value) == pytest.approx(first, abs=TOLERANCE)
    assert page.tab.locator("#bars li").count() == 10
    page.tab.click("#all")
    page.until("document.getElementById('canvas').clientHeight > 50 * 20")
    page.tab.click("#all")


def test_playing_moves_the_playhead(page, files):
    page.predict(files / "song.wav")
    page.tab.click("#play")
    page.until("document.getElementById('audio').currentTime > 0.3")
    page.until("document.getElementById('play').textContent == 'Pause'")
    assert "translateX" in page.tab.get_attribute("#head", "style")
    page.tab.click("#play")
    page.until("document.getElementById('play').textContent == 'Play'")


def test_onsets_are_those_of_the_command_line(page, files):
    page.predict(files / "short.wav")
    page.tab.click("#onsets")
    page.until("/onsets\\.$/.test(document.getElementById('status').textContent)")
    expected = model("schluter2014").onsets(files / "short.wav").times
    assert page.text("#status") == f"{len(expected)} onsets."
    page.tab.check("#clicks")
    page.until("document.getElementById('audio').duration > 0.9")
    with page.tab.expect_download() as download:
        page.tab.press("#csv-onsets", "Enter")
    assert download.value.suggested_filename == "short.onsets.csv"
    saved = Path(download.value.path()).read_text(encoding="utf-8").split()
    np.testing.assert_allclose(np.array(saved, float), expected, atol=0.011)


def test_what_is_saved_is_what_the_command_line_writes(page, example):
    page.predict(example)
    gram = model(FAST).taggram(example)
    with page.tab.expect_download() as download:
        page.tab.dispatch_event("#csv", "click")  # a busy browser may lose a key
    assert download.value.suggested_filename == f"{example.stem}.{FAST}.csv"
    saved = Path(download.value.path()).read_text(encoding="utf-8")
    ours, theirs = (list(csv.reader(io.StringIO(text))) for text in (saved, gram.to_csv()))
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(
        np.array(ours[1:], float), np.array(theirs[1:], float), atol=TOLERANCE
    )
    with page.tab.expect_download() as download:
        page.tab.dispatch_event("#json", "click")
    content = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    (content,) = content["models"]
    np.testing.assert_allclose(content["values"], gram.values, atol=TOLERANCE)
    with page.tab.expect_download() as download:
        page.tab.dispatch_event("#png", "click")
    assert Path(download.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_microphone_is_predicted(page):
    page.tab.evaluate("delete document.body.dataset.done")
    page.tab.click("#record")
    page.until("document.getElementById('record').textContent.startsWith('Stop')")
    page.tab.wait_for_timeout(1200)
    page.tab.click("#record")
    assert len(page.scores()[FAST]) == 50
    assert page.text("#song-name") == "Recording"


def test_a_stage_is_that_of_the_command_line(page, example):
    page.predict(example)
    stage = "frontend"
    found = page.evaluate(
        f"const r = await engine.stage('{FAST}', '{stage}', 0);"
        "return { ...r, values: [...r.values] };"
    )
    expected = model(FAST).embed(example, stage).values[0]
    assert found["dims"] == list(expected.shape)
    ours = np.reshape(found["values"], expected.shape)
    np.testing.assert_allclose(ours, expected, atol=0.02 * np.abs(expected).max())
    page.tab.select_option("#stage", stage)
    page.tab.click("#look")
    page.tab.wait_for_selector("#stage-canvas:not([hidden])")
    page.until("document.getElementById('stage-about').textContent.length > 20")


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44100, 16000), (44100, 22050), (48000, 44100), (22050, 16000)]
)
def test_resampling_is_that_of_soxr(rate, wanted, page):
    noise = np.random.default_rng(0).normal(0, 0.1, rate // 2)
    spectrum = np.fft.rfft(noise)
    spectrum[np.fft.rfftfreq(len(noise), 1 / rate) > 0.45 * min(rate, wanted)] = 0
    band = np.fft.irfft(spectrum, len(noise))
    # soxr's pass band is flat to .01 dB, which is .0012; above it the filters fall differently.
    for sound, most in ((noise, 0.005), (band, 5e-4)):
        sound = sound.astype("float32")
        expected = audio.load((sound, rate), wanted)
        found = page.evaluate(
            "return [...resample(Float32Array.from(given[0]), given[1], given[2])]",
            [sound.tolist(), rate, wanted],
        )
        assert len(found) == len(expected)
        inside = slice(200, -200)  # at its ends the noise begins and stops at once
        error = np.sqrt(np.mean((np.array(found)[inside] - expected[inside]) ** 2))
        assert error < most * np.sqrt(np.mean(expected**2))


def test_the_map_chooses_a_model(page):
    page.tab.click("#grid [data-architecture=zhu2016]")
    assert page.tab.input_value("#model") == "zhu2016.zoo"
    assert "zhu2016.zoo is now the model above" in page.text("#about")


def test_the_first_visit_takes_8_mb_and_the_second_needs_no_network(
    browser, folder, example, monkeypatch, tmp_path
):
    sent = []
    copy = server.Handler.copyfile

    def counted(self, source, target):
        sent.append(os.fstat(source.fileno()).st_size)
        copy(self, source, target)

    monkeypatch.setattr(server.Handler, "copyfile", counted)
    site.write(tmp_path / "site")  # as a host would have it
    with serving(tmp_path / "site") as address:
        page = Page(browser, address)
        page.wait("loaded")
        assert sum(sent) < 8e6
        online = page.predict(example)
    page.tab.reload()
    page.wait("loaded")
    assert page.predict(example) == online
    assert page.tab.evaluate("self.crossOriginIsolated")
    page.requests = [url for url in page.requests if not url.startswith(address)]
    assert page.requests == [url for url in page.requests if url.startswith("blob:")]
    page.context.close()


def test_no_violation_of_wcag_a_or_aa(page, example):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    rules = {"runOnly": {"type": "tag", "values": levels}}
    page.predict(example)
    page.tab.click("#details summary")
    page.tab.click("#grid [data-architecture=pons2016]")
    for theme in ("light", "dark"):
        if page.tab.evaluate("document.documentElement.dataset.theme") != theme:
            page.tab.click("#theme")
        for width in (1200, 390):
            page.tab.set_viewport_size({"width": width, "height": 900})
            page.tab.wait_for_timeout(300)  # colours of the bars change in a moment
            found = axe.run(page.tab, options=rules)
            assert found.violations_count == 0, found.generate_report()
            wide = page.tab.evaluate("document.documentElement.scrollWidth")
            assert wide <= width  # nothing sticks out to the right
    page.tab.set_viewport_size({"width": 1200, "height": 900})


@pytest.mark.skipif(
    "ZOO_SCREENSHOTS" not in os.environ, reason="ZOO_SCREENSHOTS names no folder for pictures"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("device", "width", "height"), [("wide", 1280, 1400), ("phone", 390, 844)])
def test_screenshots(device, width, height, theme, browser, folder, example, tmp_path):
    from PIL import Image

    site.write(tmp_path / "site", level=1)
    folder = CHECKOUT / os.environ["ZOO_SCREENSHOTS"]
    folder.mkdir(parents=True, exist_ok=True)
    size = {"width": width, "height": height}
    with serving(tmp_path / "site") as address:
        page = Page(browser, address, viewport=size, color_scheme=theme)
        page.tab.select_option("#second", "zhu2016.zoo")
        page.predict(example)
        page.tab.evaluate("document.getElementById('audio').currentTime = 12.4")
        page.tab.wait_for_timeout(400)
        top = 0 if device == "wide" else "document.querySelector('.state').offsetTop - 8"
        page.tab.evaluate(f"scrollTo({{ top: {top}, behavior: 'instant' }})")
        page.tab.wait_for_timeout(200)
        for part, options in (("", {}), ("-page", {"full_page": True})):
            taken = page.tab.screenshot(**options)
            if part and "ZOO_SCREENSHOTS_WHOLE" not in os.environ:
                continue
            picture = Image.open(io.BytesIO(taken)).convert("RGB").quantize(200)
            picture.save(folder / f"web-{device}-{theme}{part}.png", optimize=True)
        page.check()
        page.context.close()
