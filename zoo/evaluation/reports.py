"""Evaluations and comparisons as tables, files and figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from zoo.errors import ConfigError, UnknownName
from zoo.evaluation import tables
from zoo.evaluation.records import ComparisonRecord, EvaluationRecord
from zoo.utils.files import PathLike, write_csv, write_text
from zoo.utils.frames import dataframe, html_text

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Evaluation(EvaluationRecord):
    """How good a model is on a corpus, with tables and figures. Attributes: `EvaluationRecord`."""

    def __repr__(self) -> str:
        return tables.evaluation(self)

    def _repr_html_(self) -> str:
        return html_text(repr(self))

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a row for each tag: its clips, ROC-AUC and PR-AUC, each with low and high.

        Of onsets a row for each clip.

        Returns:
            The data frame.

        Raises:
            ConfigError: pandas is not installed.
        """
        if self.onsets:
            rows: list[dict] = [
                {**o._asdict(), "F": o.f_measure, "precision": o.precision, "recall": o.recall}
                for o in self.onsets
            ]
        else:
            rows = [
                {"tag": t.tag, "positives": t.positives, **tables.numbers(t)} for t in self.tags
            ]
        return dataframe({name: [row[name] for row in rows] for name in (rows or [{}])[0]})

    def to_csv(self, path: PathLike | None = None) -> str:
        """Return a row for all together and one for each tag, or clip with onsets; write it.

        Every row has model, data, split and number of clips, so that tables can be joined.

        Args:
            path: a CSV file to write; None for none.

        Returns:
            The table as CSV.
        """
        return write_csv(tables.evaluation_csv(self), path)

    def plot(
        self,
        path: PathLike | None = None,
        *,
        metric: str | None = None,
        tags: Sequence[str] | int | None = None,
        figsize: tuple[float, float] | None = None,
        ax: "Axes | None" = None,
    ) -> "Figure":
        """Draw the tags' scores with intervals, and for single-label corpora the confusion matrix.

        Args:
            path: save the figure here; .png, .pdf or .svg. None for a figure to show.
            metric: only "ROC-AUC", "PR-AUC" or "confusion"; None for all that there are, or with
                `ax` for ROC-AUC.
            tags: these tags; or a number, of the best and of the worst tags each. None for all; of
                more than 40 the best and worst 20.
            figsize: width and height in inches; None for what fits.
            ax: draw into these axes of a figure of yours.

        Returns:
            The figure.

        Raises:
            ConfigError: arguments that do not fit together.
            UnknownName: a tag that was not scored.
        """
        from zoo.evaluation import plots

        return plots.evaluation(self, path, metric, tags, figsize, ax)


class Comparison(ComparisonRecord):
    """Several models on the same clips and tags. Attributes: `ComparisonRecord`."""

    def __getitem__(self, model: str) -> Evaluation:
        """Return a model's evaluation on the shared tags."""
        for entry in self.entries:
            if entry.model == model:
                return cast(Evaluation, entry.evaluation)
        names = ", ".join(entry.model for entry in self.entries)
        raise UnknownName(f"{model!r} was not compared; {names} were.")

    def __repr__(self) -> str:
        return tables.comparison(self)

    def _repr_html_(self) -> str:
        return html_text(repr(self))

    def to_dataframe(self) -> "pandas.DataFrame":
        """Return a row for each model: each metric with low and high, parameters, bytes, speed.

        Returns:
            The data frame.

        Raises:
            ConfigError: pandas is not installed.
        """
        rows = [tables.model_numbers(entry) for entry in self.entries]
        return dataframe({name: [row[name] for row in rows] for name in rows[0]})

    def to_csv(self, path: PathLike | None = None, what: str = "models") -> str:
        """Return a table, and write it to `path` if given.

        Args:
            path: a CSV file to write; None for none.
            what: "models" (a row each), "tags" (a row for each tag and model), or "differences".

        Returns:
            The table as CSV.

        Raises:
            ConfigError: another word.
        """
        if what not in ("models", "tags", "differences"):
            raise ConfigError(f"what is {what!r}; it is 'models', 'tags' or 'differences'.")
        return write_csv(tables.comparison_csv(self, what), path)

    def to_markdown(self, path: PathLike | None = None) -> str:
        """Return models, differences and what was left out as Markdown; write it to `path`.

        Args:
            path: a Markdown file to write; None for none.

        Returns:
            The Markdown text.
        """
        text = tables.comparison_markdown(self)
        if path is not None:
            write_text(text, path)
        return text

    def plot(
        self,
        path: PathLike | None = None,
        what: str = "overview",
        *,
        metric: str | None = None,
        tags: Sequence[str] | int | None = None,
        figsize: tuple[float, float] | None = None,
        ax: "Axes | None" = None,
    ) -> "Figure":
        """Draw quality against speed (the area of a bubble is the size), or each tag's scores.

        Args:
            path: save the figure here; .png, .pdf or .svg. None for a figure to show.
            what: "overview", or "tags" for the scores of each tag.
            metric: such as "ROC-AUC"; None for the first one.
            tags: of "tags": these; or a number, of the best and of the worst tags each. None for
                as many as a page holds.
            figsize: width and height in inches; None for what fits.
            ax: draw into these axes of a figure of yours.

        Returns:
            The figure.

        Raises:
            ConfigError: arguments that do not fit together.
            UnknownName: a tag that was not compared.
        """
        from zoo.evaluation import plots

        return plots.comparison(self, path, what, metric, tags, figsize, ax)
