"""`zoo serve` and `zoo site`: the web page on this machine, and as a folder for a static host."""

import tempfile
import webbrowser
from pathlib import Path

import click

from zoo.cli.common import Command, import_framework
from zoo.utils.text import plural

MODELS = click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="A further model, with which the page opens: a name of `zoo list`, a file (.onnx or "
    ".keras), or a folder of `zoo train`. Can be given several times.",
)


@click.command("serve", cls=Command)
@MODELS
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    help="The port on this machine; 0 takes any that is free.",
)
@click.option(
    "--browser/--no-browser",
    default=True,
    show_default=False,
    help="Whether to open the page in the browser.",
)
def serve_command(models: tuple[str, ...], port: int, browser: bool) -> None:
    """Open a page in the browser that tags songs; the songs stay on this machine.

    The page shows tags over time, onsets and what the networks compute. Ctrl-C ends it.
    """
    from zoo.utils import server  # not above: only this command needs it
    from zoo.weights import site

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "site"
        with server.open_server(folder, port) as opened:  # first: the port may be taken
            prepare(models)
            names = site.write(folder, models, level=1)
            url = f"http://localhost:{opened.server_port}/"
            click.echo(f"{url} shows {plural(len(names), 'model')}: {', '.join(names)}")
            click.echo("Press Ctrl-C to end.")
            if browser:
                webbrowser.open(url)
            try:
                opened.serve_forever()
            except KeyboardInterrupt:
                click.echo()


@click.command("site", cls=Command)
@click.argument("folder", type=click.Path(path_type=Path))
@MODELS
def site_command(folder: Path, models: tuple[str, ...]) -> None:
    """Write the page of `zoo serve` to FOLDER, for a host of static files.

    FOLDER must not exist, or must be empty. Everything is computed in the visitor's browser.
    """
    from zoo.weights import site  # not above: reads weights only for this command

    prepare(models)
    names = site.write(folder, models)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    click.echo(
        f"{folder}: {size / 1e6:.1f} MB with {plural(len(names), 'model')}: {', '.join(names)}"
    )


def prepare(models: tuple[str, ...]) -> None:
    """Import Keras, without its messages, if a model needs it.

    Args:
        models: names, files and folders.
    """
    from zoo.weights import runtimes  # not above: reads the registry only for these commands

    if not all(runtimes.has_graph(model) for model in models):
        import_framework()
