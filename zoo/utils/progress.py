"""Progress bars on standard error, for work that takes long."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def bars(*columns: Any, shown: bool | None = None, transient: bool = False) -> "Iterator[Progress]":
    """Show progress bars with columns of your choice.

    Args:
        *columns: of `rich.progress`; by default a bar, the count and the remaining time.
        shown: None to show them if standard error is a terminal.
        transient: remove the bars at the end.

    Yields:
        A `rich.progress.Progress`.
    """
    from rich.console import Console  # these imports take .1 s; `import zoo` needs none
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not columns:
        default = Progress.get_default_columns()[:-1]
        columns = (*default, MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not (console.is_terminal if shown is None else shown)
    # What is printed to the same terminal goes above the bars. Standard output that goes to a file
    # or a pipe must not be redirected to the bars' console.
    printed = sys.stdout is not None and sys.stdout.isatty()
    with Progress(
        *columns, console=console, transient=transient, disable=hidden, redirect_stdout=printed
    ) as progress:
        yield progress


@contextmanager
def bar(
    title: str, total: int, shown: bool | None = None, transient: bool = False
) -> Iterator[Callable[..., None]]:
    """Show one bar.

    Args:
        title: the work, in words.
        total: number of items.
        shown: as in `bars`.
        transient: as in `bars`.

    Yields:
        A function `advance(count=1)`.
    """
    if shown is False:  # spares the import of rich
        yield lambda count=1: None
        return
    with bars(shown=shown, transient=transient) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count=1: progress.advance(task, count)
        progress.update(task, completed=total)
