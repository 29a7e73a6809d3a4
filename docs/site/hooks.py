"""What MkDocs does beside its plugins: pages and files from outside `docs/`, and links to them.

A page links to files as they lie in the repository, so that its links work there too. Those that
the site has, as pages or files, become links of the site; of others the words stay.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

REPOSITORY = Path(__file__).resolve().parents[2]
# Path in the repository, or a pattern of paths -> path in the site; {} is the path itself.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "results/*.png": "{}",
    "results/leaderboard.csv": "{}",
    "examples/audio/*.*": "{}",
    "examples/clips/*.*": "{}",
}
LINK = re.compile(r"(?P<words>!?\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\])\((?P<target>[^)\s]+)\)")
SOURCE = re.compile(r'src="(?P<target>[^":]+)"')


def on_files(files, config):
    """Add what the site shows of the repository outside `docs/`."""
    for pattern, place in OUTSIDE.items():
        for path in sorted(REPOSITORY.glob(pattern)):
            name = path.relative_to(REPOSITORY).as_posix()
            added = File.generated(config, place.format(name), abs_src_path=str(path))
            files.append(added)
    return files


def on_page_markdown(markdown, page, config, files):
    """Point links at the site; give the widest table all of the page."""
    if page.file.src_uri == "leaderboard.md":
        page.meta["hide"] = ["navigation", "toc"]
    where = repository_path(page.file)
    here = posixpath.dirname(page.file.src_uri)

    def place(target):
        """Return a target as a path of the site; None if the site lacks it."""
        file, mark, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(where), file))
        known = OUTSIDE.get(path, "").format(path) or path.removeprefix("docs/")
        if not files.get_file_from_path(known):
            return None
        return posixpath.relpath(known, here or ".") + mark + anchor

    def link(match):
        words, target = match["words"], match["target"]
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        found = place(target)
        if found is None and not target.endswith(".md"):
            return words[1:-1]  # such as a file of the package
        return f"{words}({found or target})"

    def source(match):
        return f'src="{place(match["target"]) or match["target"]}"'

    return SOURCE.sub(source, outside_code(LINK, link, markdown))


def outside_code(pattern, replacement, markdown):
    """Replace a pattern everywhere but in fenced blocks of code."""
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.M | re.S)
    return "".join(p if p.startswith("```") else pattern.sub(replacement, p) for p in parts)


def repository_path(file):
    """Return the path in the repository of a page's source."""
    return Path(file.abs_src_path).resolve().relative_to(REPOSITORY).as_posix()
