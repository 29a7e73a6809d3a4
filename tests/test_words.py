"""Prose uses the terms of the field: words that the project has retired do not come back.

`vale` fetches its program from the network when it first runs, and the checks of `proselint` cannot
be chosen word by word, so this is a list.
"""

import re

import pytest
from conftest import CHECKOUT

# Pattern -> the word to use.
RETIRED = {
    r"\b(network|model|checkpoint|detector)s? (hear|heard|listen)": "predict",
    r"\bhears? \d": "takes",
    r"\bjudg(e|es|ed|ing)\b": "validate, score",
    r"\blessons?\b": "training note, training clips",
    r"\blots\b": "rounds or shards",
    r"\bcould not be (had|heard)\b": "could not be loaded, could not be decoded",
    r"\bmends? the sound\b": "fix the audio",
    r"\btravels? with\b": "bundled",
    r"\bwhat helps:": "to fix this:",
    r"\bnothing to hear\b": "empty audio",
    r"\bflatters\b": "scores will be too optimistic",
    r"\b(simply|obviously|basically|utilize|leverage|in order to)\b": "leave it out",
    r"\bstate[- ]of[- ]the[- ]art\b": "say how good, and where it was measured",
}
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
]


def prose(content: str) -> str:
    """Return a page without blocks of code, code in lines and the targets of links."""
    content = re.sub(r"^ *```.*?^ *```$", "", content, flags=re.M | re.S)
    return re.sub(r"`[^`\n]+`|\]\([^)]*\)", "", content)


def found(content: str) -> list[str]:
    """Return what to change: the line, the words, the words to use instead."""
    return [
        f"{line.strip()!r}: {match[0]!r}; write: {better}"
        for line in prose(content).splitlines()
        for pattern, better in RETIRED.items()
        for match in re.finditer(pattern, line, re.I)
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(CHECKOUT).as_posix())
def test_a_page_has_no_retired_word(path):
    assert found(path.read_text(encoding="utf-8")) == []


def test_a_retired_word_would_be_found():
    assert found("The network hears 3 s at once.")
    assert found("One lesson.\n\n```text\nlots\n```\n") == [
        "'One lesson.': 'lesson'; write: training note, training clips"
    ]
    assert found("`judge` is a name; [a lot](lots.md)") == []
