"""`zoo list` and `zoo info`: the available models and their cards."""

import fnmatch

import click
import msgspec

import zoo
from zoo.cli.common import Command, to_json
from zoo.errors import UnknownName
from zoo.registry import lookup, manifest


@click.command("list", cls=Command)
@click.argument("pattern", default="*")
@click.option(
    "--task",
    type=click.Choice(["tagging", "onsets"]),
    help="List only models for this task. Default: all.",
)
@click.option(
    "--licence",
    help="List only weights with this licence. It may be a pattern, such as 'CC*'. Default: all.",
)
@click.option(
    "--untrained", is_flag=True, help="List architectures, for `zoo train` and `zoo.build`."
)
@click.option("--taxonomy", is_flag=True, help="Show architectures in the grid of Pons' review.")
@click.option(
    "--scores",
    is_flag=True,
    help="Show published and measured scores, size and speed, best first: the leaderboard.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: of checkpoints all that is known."
)
def list_command(
    pattern: str,
    task: str | None,
    licence: str | None,
    untrained: bool,
    taxonomy: bool,
    scores: bool,
    as_json: bool,
) -> None:
    """List the models that can be loaded.

    PATTERN is a part of their names, such as 'pons', or a shell pattern, such as '*.mtt'. Default:
    all.
    """
    from zoo.registry import listing

    if scores:
        if untrained or taxonomy:
            raise click.UsageError("--scores shows checkpoints: no --untrained or --taxonomy.")
        board = zoo.leaderboard(pattern, task, licence)
        rows = [msgspec.to_builtins(row) for row in board]
        click.echo(to_json(rows, indent=1) if as_json else str(board))
        return
    names = zoo.list_models(pattern, task, licence, trained=not (untrained or taxonomy))
    if not names:
        licences = {c.licence.weights for c in manifest.load().checkpoints.values()}
        if licence is not None and not fnmatch.filter(licences, licence):
            raise UnknownName(
                f"no weights have the licence {licence!r}; there are {', '.join(sorted(licences))}."
            )
        raise UnknownName(
            f"no model that these options allow has {pattern!r} in its name. `zoo list` shows all."
        )
    if as_json and taxonomy:
        click.echo(to_json(lookup.grid(names), indent=1))
    elif as_json:
        click.echo(to_json(names if untrained else listing.records(names), indent=1))
    elif taxonomy:
        click.echo(listing.taxonomy(names))
    else:
        click.echo(listing.architectures(names) if untrained else listing.checkpoints(names))


@click.command("info", cls=Command)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info_command(name: str, as_json: bool) -> None:
    """Show the card of the model NAME: paper, stages, labels, licences, metrics."""
    card = zoo.info(name)
    click.echo(to_json(card.to_dict(), indent=1) if as_json else str(card))
