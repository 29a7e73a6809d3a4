"""The command line: `zoo --help` lists the commands.

Frameworks are imported only when a command needs them, so that `zoo --help` is fast.
"""

import os
import warnings

import click

import zoo
from zoo.cli import batch, evaluation, listing, tagging, training, web, weights
from zoo.cli.common import Warnings, prepare_streams


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(zoo.__version__, prog_name="zoo")
def main() -> None:
    """Tag music with neural networks, and train, evaluate and inspect them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides TensorFlow's log, not its errors
    prepare_streams()
    shown = Warnings()
    warnings.showwarning = shown.show
    click.get_current_context().call_on_close(shown.finish)


for module in (listing, tagging, batch, training, evaluation, weights, web):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            main.add_command(command)
