"""The generated pages of `docs/` are up to date, whole and linked."""

import importlib.util
import re
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import CHECKOUT

import zoo
from zoo.registry import lookup

DOCS = CHECKOUT / "docs"
ARCHITECTURES = sorted(lookup.architectures())
STALE = "run `python docs/generate.py`"


def script(name: str):
    """Import a file of `docs/`."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated() -> dict:
    """Every generated page by its path, as it should be."""
    return script("generate").pages()


def links(content: str) -> list[str]:
    """Return the targets of links and pictures that do not lead out of the project."""
    return [
        target
        for target in re.findall(r"\]\(([^)\s]+)\)", content)
        if not target.startswith(("http://", "https://"))
    ]


def anchors(content: str) -> set[str]:
    """Return the names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", content, re.M)
    given = {anchor for h in headings for anchor in re.findall(r"\{#(\S+)\}$", h)}
    return given | {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_pages_are_what_would_be_generated_today(generated):
    for path, content in generated.items():
        assert path.is_file(), f"{path.name} is missing: {STALE}"
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is old: {STALE}"


def test_every_architecture_has_a_page_and_a_picture_and_nothing_else_has():
    for suffix in ("md", "svg"):
        assert sorted(p.stem for p in (DOCS / "models").glob(f"*.{suffix}")) == ARCHITECTURES


def test_every_internal_link_leads_somewhere():
    pages = sorted(DOCS.rglob("*.md"))
    for page in pages:
        for target in links(page.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            path = page.parent / file if file else page
            assert path.exists(), f"{page.name} links to {target}"
            if anchor:
                assert anchor in anchors(path.read_text(encoding="utf-8")), f"{page.name}: {target}"


def test_every_question_of_the_start_page_leads_to_a_section():
    start = (DOCS / "index.md").read_text(encoding="utf-8")
    rows = start.partition("## Questions")[2].partition("\n## ")[0]
    answers = [links(row) for row in rows.splitlines() if row.startswith("| ")][1:]
    assert len(answers) == 10
    for targets in answers:
        assert targets
        for target in targets:
            file, _, anchor = target.partition("#")
            content = (DOCS / file).read_text(encoding="utf-8")
            assert not anchor or anchor in anchors(content), target


def test_every_public_function_is_on_a_page_of_the_api():
    from test_public_interface import PUBLIC

    pages = "".join(p.read_text(encoding="utf-8") for p in (DOCS / "api").glob("*.md"))
    shown = set(re.findall(r"^::: (\S+)$", pages, re.M))
    for name, function in PUBLIC.items():
        place = f"{function.__module__}.{function.__qualname__}"
        assert {place, place.rpartition(".")[0]} & shown, f"{name}: {STALE}"


def test_every_page_is_in_the_menu_of_the_site():
    menu = (DOCS / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"(\S+\.md)$", menu.partition("\nnav:")[2], re.M))
    outside = {"changelog.md", "contributing.md", "security.md"}
    pages = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}
    assert listed == pages | outside


def test_the_sound_examples_are_what_the_models_give():
    sounds = script("sounds")
    written = (CHECKOUT / "results" / "sounds.csv").read_text(encoding="utf-8")
    for row in sounds.rows("dieleman2014.zoo", sounds.CLIPS[:2]):
        file, model, tags = row
        assert f'{file},{model},"{tags}"' in written
    assert all(f"examples/{clip}," in written for clip in sounds.CLIPS)
    assert all(f",{name}," in written for name in sounds.models())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_picture_shows_every_filter_of_the_card(name):
    root = ElementTree.parse(DOCS / "models" / f"{name}.svg").getroot()
    texts = " ".join("".join(e.itertext()) for e in root.iter() if e.tag.endswith("text"))
    for v in lookup.architectures()[name].variants.values():
        shown = [
            f"{size} samples, stride {other}" if v.plane is None else f"{size} \u00d7 {other}"
            for size, other, _ in v.filters
        ]
        for text in [*shown, *(f"{frames} frames" for frames, _ in v.over_mean)]:
            assert text in texts, f"{name}.svg does not show {text}: {STALE}"


def test_a_page_says_what_the_paper_is_and_how_to_build_the_network():
    page = (DOCS / "models" / "pons2017.md").read_text(encoding="utf-8")
    for part in ("Jordi Pons", "2017", "arxiv.org", "787,159", "| `shared_norm` | `True` |"):
        assert part in page
    assert 'zoo.build("pons2017"' in page


def test_a_page_keeps_published_and_measured_scores_apart():
    page = (DOCS / "models" / "pons2017.md").read_text(encoding="utf-8")
    assert "| score | published | measured | data |" in page
    assert "| ROC-AUC | 0.9067 |" in page


def test_every_checkpoint_is_on_its_architectures_page_with_its_licence():
    for name in zoo.list_models():
        checkpoint = zoo.info(name).checkpoints[name]
        page = (DOCS / "models" / f"{checkpoint.architecture}.md").read_text(encoding="utf-8")
        section = page.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert f"| licence of the weights | {checkpoint.licence.weights} |" in section
