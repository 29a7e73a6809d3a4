"""A progress bar on standard error, for work that takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(
    title: str, total: int, shown: bool | None = None, transient: bool = False
) -> Iterator[Callable[..., None]]:
    """Show how much is done.

    Args:
        title: what is done.
        total: of what is counted.
        shown: None for where somebody can see it move, which is a terminal.
        transient: wipe it out in the end.

    Yields:
        A function `advance(count=1)`.
    """
    if shown is False:
        yield lambda count=1: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    hidden = shown is None and not console.is_terminal
    with Progress(*columns, console=console, transient=transient, disable=hidden) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count=1: progress.advance(task, count)
        progress.update(task, completed=total)
