"""The notebooks in examples/ are committed as they ran. examples/run.py runs them anew."""

import json
import re

import pytest
from conftest import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "examples").glob("*.ipynb"))
LINK = re.compile(r"\]\(([^)#:]+)\)")
OF_A_MACHINE = re.compile(r"/(home|root|Users|work|tmp|var|opt|mnt)/|[A-Z]:\\\\|site-packages")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def prose(notebook):
    return "\n".join(said(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown")


def said(text) -> str:
    """Text in a notebook is a string or a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def outputs(code):
    return [output for cell in code for output in cell["outputs"]]


def test_there_are_seven():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{i}_" for i in range(1, 8)]


def test_cells_ran_in_order_in_a_fresh_kernel(code):
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


def test_no_cell_failed_or_complained(code):
    for output in outputs(code):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr"
        assert not re.search("warning", said(output.get("text", "")), re.IGNORECASE)


def test_pictures_are_there(code):
    assert any("image/png" in output.get("data", {}) for output in outputs(code))


@pytest.mark.parametrize("path", NOTEBOOKS[:2], ids=lambda path: path.stem)
def test_sounds_can_be_played(code):
    players = [said(output.get("data", {}).get("text/html", "")) for output in outputs(code)]
    assert any('<source src="data:audio/ogg;base64,' in player for player in players)


def test_nothing_tells_of_the_machine_it_ran_on(code):
    for cell in code:
        assert not OF_A_MACHINE.search(said(cell["source"]))
    for output in outputs(code):
        for text in (output.get("text", ""), output.get("data", {}).get("text/plain", "")):
            assert not OF_A_MACHINE.search(said(text))


def test_notebook_is_small(path):
    assert path.stat().st_size < 1_500_000


def test_links_lead_somewhere(path, prose):
    for target in LINK.findall(prose):
        assert (path.parent / target).exists(), target


def test_text_says_that_the_sounds_are_rendered(prose):
    assert "**rendered**" in prose


def test_any_kernel_of_python_3_will_do(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "version" not in notebook["metadata"]["language_info"]
