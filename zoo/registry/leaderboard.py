"""Every checkpoint with its scores, size and speed in one table. Loads no framework.

The numbers are those of `results/leaderboard.csv`, which `python docs/leaderboard.py` writes from
the manifest and the other tables in `results/`. The file is inside the installed package.
"""

import csv
import functools
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from zoo.errors import ConfigError
from zoo.registry import lookup
from zoo.registry.listing import short
from zoo.registry.manifest import PACKAGE
from zoo.utils.files import PathLike, write_csv
from zoo.utils.text import columns

if TYPE_CHECKING:
    import pandas

FILE_NAME = "leaderboard.csv"
LEGEND = """\
* is the default of its architecture. ROC-AUC: published by the authors, each on the data named
beside it; measured on real players, with its 95 % interval. MB of the file; ms a segment, decoded
and predicted in ONNX Runtime. to_csv() and results/leaderboard.csv have more columns."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one checkpoint; None where nothing was published or measured.

    Attributes:
        checkpoint: its name.
        architecture: the name of its model file.
        task: "tagging" or "onsets".
        default: whether the bare name of the architecture loads it.
        licence: of the weights.
        weights: "bundled" with the package or "fetched" on first use.
        status: as in `zoo.info`.
        parameters: that were trained.
        megabytes: of the file that is bundled or fetched.
        segment: seconds that the network takes at once.
        published_roc_auc: by the authors, on the test part of `published_data`.
        published_pr_auc: likewise.
        published_data: the data set.
        players_roc_auc: measured: mean over twelve questions, recordings of real players.
        players_low: lower end of its 95 % interval.
        players_high: upper end.
        genres_roc_auc: measured: mean over four genres of the genre test.
        genres_low: lower end of its 95 % interval.
        genres_high: upper end.
        teachers_roc_auc: measured against the predictions of its teachers.
        teachers_tags: over how many tags.
        onsets_f: measured: F within 25 ms, mean over three held-out parts of rendered music.
        ms_onnx: milliseconds for a segment in ONNX Runtime, the network alone.
        ms_litert: in LiteRT.
        ms_openvino: in OpenVINO.
        ms_savedmodel: in TensorFlow, as a SavedModel.
        ms_file: from a file, decoding included, in ONNX Runtime.
        ms_page: from a file, decoding included, in the browser with one thread.
    """

    checkpoint: str
    architecture: str
    task: str
    default: bool
    licence: str
    weights: Literal["bundled", "fetched"]
    status: str
    parameters: int | None = None
    megabytes: float | None = None
    segment: float | None = None
    published_roc_auc: float | None = None
    published_pr_auc: float | None = None
    published_data: str | None = None
    players_roc_auc: float | None = None
    players_low: float | None = None
    players_high: float | None = None
    genres_roc_auc: float | None = None
    genres_low: float | None = None
    genres_high: float | None = None
    teachers_roc_auc: float | None = None
    teachers_tags: int | None = None
    onsets_f: float | None = None
    ms_onnx: float | None = None
    ms_litert: float | None = None
    ms_openvino: float | None = None
    ms_savedmodel: float | None = None
    ms_file: float | None = None
    ms_page: float | None = None


class Leaderboard(Sequence[Row]):
    """Rows of checkpoints; printing it shows a table. Attributes: rows."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index):  # an index or a slice, as of a tuple
        return self.rows[index]

    def __repr__(self) -> str:
        head = ("name", "licence", "MB", "published", "players", "", "ms")
        lines = columns([head, *map(_line, self.rows)], right="MB ms")
        return "\n".join([*lines, "", LEGEND])

    def to_csv(self, path: PathLike | None = None) -> str:
        """Return the rows as CSV; write them.

        Args:
            path: a CSV file to write; None for none.

        Returns:
            The table as CSV.
        """
        return write_csv(as_cells(self.rows), path)

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return the rows as a data frame of pandas, which must be installed.

        Returns:
            A row for each checkpoint.
        """
        import pandas  # optional, and slow to load

        return pandas.read_csv(io.StringIO(self.to_csv()))


def leaderboard(
    pattern: str = "*", task: str | None = None, licence: str | None = None
) -> Leaderboard:
    """Return every checkpoint with published and measured scores, size and speed.

    The best on recordings of real players come first; then those that were not measured there.
    Published scores of different data sets cannot be compared.

    Args:
        pattern: shell pattern for names, such as "pons*" or "*.zoo".
        task: "tagging" or "onsets"; None for all.
        licence: shell pattern for the licence of the weights, such as "MIT"; None for all.

    Returns:
        The table; `Row` explains its columns.

    Raises:
        ConfigError: the table is not in the package.

    Examples:
        >>> import zoo
        >>> [row.checkpoint for row in zoo.leaderboard("pons2017.mtt*")]
        ['pons2017.mtt', 'pons2017.mtt_won2020']
    """
    names = set(lookup.list_models(pattern, task, licence))
    return Leaderboard([row for row in _all() if row.checkpoint in names])


@functools.cache
def _all() -> tuple[Row, ...]:
    """Read the table of the package, or of the checkout."""
    for file in (PACKAGE / FILE_NAME, PACKAGE.parent / "results" / FILE_NAME):
        if file.is_file():
            with file.open(newline="", encoding="utf-8") as opened:
                rows = [{k: v for k, v in r.items() if v} for r in csv.DictReader(opened)]
            return tuple(msgspec.convert(rows, list[Row], strict=False))
    raise ConfigError(f"{FILE_NAME} is neither in {PACKAGE} nor beside it. Reinstall the package.")


def as_cells(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Yield the head and the rows of the CSV file; a cell without a value is empty."""
    yield Row.__struct_fields__
    for row in rows:
        values = msgspec.structs.astuple(row)
        yield tuple("" if v is None else str(v).lower() if v in (True, False) else str(v)
                    for v in values)  # fmt: skip


def _line(row: Row) -> tuple[str, ...]:
    """Return a row for a terminal of 100 columns."""
    low_high = "" if row.players_low is None else f"{row.players_low:.3f}-{row.players_high:.3f}"
    return (
        row.checkpoint + " *" * row.default,
        row.licence,
        _number(row.megabytes, 1),
        f"{_number(row.published_roc_auc, 3)} {short(row.published_data or '')}".strip(),
        _number(row.players_roc_auc, 3),
        low_high,
        _number(row.ms_file, 0),
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
