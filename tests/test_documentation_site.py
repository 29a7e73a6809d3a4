"""The site as it is built: every link leads somewhere, nothing comes from other hosts."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import CHECKOUT

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("material", reason="the extra `docs` is not installed")
MOST = 30e6  # bytes


class Page(HTMLParser):
    """What a page refers to, and what can be referred to in it."""

    def __init__(self, content: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "href" in given:
            (self.loaded if tag == "link" else self.links).append(given["href"])
        if "src" in given:
            self.loaded.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built with every warning an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q"]
    command += ["-f", CHECKOUT / "docs" / "site" / "mkdocs.yml", "-d", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_no_internal_link_or_anchor_is_broken(site, pages):
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                broken.append(f"{path.relative_to(site)}: {link}")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{path.relative_to(site)}: {link}, no such anchor")
    assert len(pages) > 40
    assert broken == []


def test_no_page_loads_anything_from_another_host(pages):
    for path, page in pages.items():
        for address in page.loaded:
            assert not urlsplit(address).netloc, f"{path.name} loads {address}"
    styles = [p.read_text(encoding="utf-8") for p in next(iter(pages)).parent.rglob("*.css")]
    assert not [s for s in styles if "url(http" in s or "@import" in s]


def test_the_search_index_has_the_answers(site):
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    for words in ("What .41 means", "Softmax or sigmoid", "zoo.leaderboard", "By licence"):
        assert words in index


def test_the_site_is_small_and_holds_no_source(site):
    files = [path for path in site.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST
    assert not [path for path in files if path.suffix in (".py", ".yml", ".md")]
    assert (site / "results" / "leaderboard.csv").is_file()
    assert (site / "examples" / "clips" / "metal-e.ogg").is_file()
