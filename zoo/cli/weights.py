"""`zoo fetch` and `zoo push`: weights from the network, and to it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

import zoo
from zoo.cli.common import Command, import_framework
from zoo.errors import UnknownName, ZooError
from zoo.registry import lookup


@click.command("fetch", cls=Command)
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch all that `zoo list` shows.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Fill a folder that ZOO_MIRROR can name instead of the cache.",
)
def fetch_command(names: tuple[str, ...], everything: bool, folder: Path | None) -> None:
    """Fetch the weights of NAMES, so that they load without a network.

    NAMES are names of `zoo list`, patterns such as 'choi2016*', or hf://user/repo@revision.
    """
    if bool(names) == everything:
        raise click.UsageError("give NAMES, or --all.")
    if folder and any(name.startswith("hf://") for name in names):
        raise click.UsageError("--to is not for hf:// models: copy the folder HF_HOME instead.")
    wanted = zoo.list_models() if everything else expanded(names)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as shelf:
        for name in wanted:
            try:
                click.echo(fetched(name, folder, Path(shelf)))
            except (ZooError, OSError) as error:
                failed += 1
                click.echo(f"Error: {error}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {len(wanted)} could not be fetched.")


def expanded(names: Sequence[str]) -> list[str]:
    """Return the checkpoints that names and patterns mean, each once; hf:// stays as it is."""
    wanted: list[str] = []
    for name in names:
        if name.startswith("hf://"):
            wanted.append(name)
        elif not set(name) & set("*?["):
            wanted.append(lookup.resolve(name))
        elif found := zoo.list_models(name):
            wanted += found
        else:
            raise UnknownName(f"no checkpoint fits {name!r}; `zoo list` shows what there is.")
    return list(dict.fromkeys(wanted))


def fetched(name: str, folder: Path | None, shelf: Path) -> str:
    """Fetch a checkpoint into the cache, or its source into a folder; return what to say of it."""
    from zoo.registry import manifest
    from zoo.weights import fetch

    if name.startswith("hf://"):
        from zoo.weights import hub_client

        snapshot = hub_client.fetch(name)
        return f"{snapshot.url}\n  {snapshot.weights.parent}"
    file = fetch.mirror(name, folder) if folder else fetch.path(name, shelf=shelf)
    about = fetch.about(name, manifest.load().checkpoint(name))
    return f"{about}\n  {file or 'travels with the package'}"


@click.command("push", cls=Command)
@click.argument("model")
@click.argument("url")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--message", help="Of the commit.")
@click.option("--licence", help="Of the weights, such as MIT; default: that of their origin.")
def push_command(
    model: str, url: str, private: bool, message: str | None, licence: str | None
) -> None:
    """Upload MODEL, a name or a saved file, to the Hugging Face Hub: hf://user/repo."""
    import_framework()
    click.echo(zoo.push(zoo.load(model), url, private, message, licence))
