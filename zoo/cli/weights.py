"""`zoo fetch`, `zoo push` and `zoo export`: download, upload and export weights."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import zoo
from zoo.cli.common import Command, import_framework, output_option
from zoo.errors import UnknownName, WeightsError, ZooError
from zoo.registry import lookup


@click.command("fetch", cls=Command)
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Download all weights of `zoo list`.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Save the source files in this folder, for use as ZOO_MIRROR. Default: the cache.",
)
def fetch_command(names: tuple[str, ...], everything: bool, folder: Path | None) -> None:
    """Download the weights of NAMES, so that they load without internet.

    NAMES are names of `zoo list`, patterns such as 'choi2016*', or hf://user/repo@revision.
    """
    if bool(names) == everything:
        raise click.UsageError("give either NAMES or --all.")
    if folder and any(name.startswith("hf://") for name in names):
        raise click.UsageError(
            "--to cannot be used with hf:// models: copy the folder HF_HOME instead."
        )
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
    """Return the checkpoints that match names and patterns.

    Args:
        names: names, patterns with *, ? or [, and hf:// addresses, which are not changed.

    Returns:
        The names, each once.

    Raises:
        UnknownName: a name or pattern matches no checkpoint.
    """
    wanted: list[str] = []
    for name in names:
        if name.startswith("hf://"):
            wanted.append(name)
        elif not set(name) & set("*?["):
            wanted.append(lookup.resolve(name))
        elif found := zoo.list_models(name):
            wanted += found
        else:
            raise UnknownName(f"no checkpoint matches {name!r}; `zoo list` shows all.")
    return list(dict.fromkeys(wanted))


def fetched(name: str, folder: Path | None, shelf: Path) -> str:
    """Download a checkpoint to the cache, or its source file to a folder.

    Args:
        name: of the checkpoint.
        folder: for the source file; None for the cache.
        shelf: temporary folder for files that several checkpoints share.

    Returns:
        The text to print.
    """
    from zoo.registry import manifest
    from zoo.weights import cache, fetch

    if name.startswith("hf://"):
        from zoo.weights import hub_client

        snapshot = hub_client.fetch(name)
        return f"{snapshot.url}\n  {snapshot.weights.parent}"
    file = fetch.mirror(name, folder) if folder else fetch.path(name, shelf=shelf)
    if file is not None and not cache.is_lasting(file):
        raise WeightsError(
            f"{name} was downloaded, but could not be kept: the cache folder {cache.folder()} "
            f"cannot be written. Set {cache.VARIABLE} to a folder that is writable."
        )
    about = fetch.about(name, manifest.load().checkpoint(name))
    return f"{about}\n  {file or 'bundled'}"


@click.command("push", cls=Command)
@click.argument("model")
@click.argument("url")
@click.option(
    "--private", is_flag=True, help="Upload to a private repository, which is created if missing."
)
@click.option(
    "--message", help="Message of the commit. Default: 'Upload MODEL with music-zoo VERSION'."
)
@click.option(
    "--licence", help="Licence of the weights, such as MIT. Default: that of their origin."
)
def push_command(
    model: str, url: str, private: bool, message: str | None, licence: str | None
) -> None:
    """Upload MODEL to the Hugging Face Hub.

    MODEL is a name of `zoo list` or a saved file. URL is hf://user/repo.
    """
    import_framework()
    click.echo(zoo.push(zoo.load(model), url, private, message, licence))


@click.command("export", cls=Command)
@click.argument("model")
@output_option(
    required=True,
    help="The file to write: .onnx (ONNX), .tflite (LiteRT), .xml (OpenVINO), or a name without "
    "suffix for the folder of a SavedModel.",
)
@click.option(
    "--format",
    type=click.Choice(["onnx", "litert", "openvino", "savedmodel"]),
    help="The format. Default: by the suffix of the output.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    help="A further output, a stage of `zoo info NAME`. Can be given several times.",
)
@click.option(
    "--quantize",
    type=click.Choice(["float16", "int8"]),
    help="Store the weights in fewer bits, for ONNX and LiteRT. Default: float32.",
)
@click.option(
    "--check",
    "sound",
    type=click.Path(path_type=Path),
    help="A recording on which the file is compared with Keras, besides built-in sounds.",
)
def export_command(model: str, output: Path, **options: Any) -> None:
    """Export MODEL to a file for other runtimes.

    MODEL is a name of `zoo list`, a saved file or a folder of `zoo train`. The file is compared
    with Keras before it gets its name; `zoo tag -m FILE.onnx song.flac` uses it.
    """
    import_framework()
    click.echo(zoo.export(zoo.load(model, runtime="keras"), output, **options))
