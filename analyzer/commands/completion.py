"""teardown completion: what a shell needs to complete commands, options and codes."""

import os
import sys

import click

from analyzer.command import Command

VARIABLE, PROGRAM = "_TEARDOWN_COMPLETE", "teardown"
SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete teardown's commands and options.

    \b
    bash: eval "$(teardown completion bash)" in ~/.bashrc
    zsh:  eval "$(teardown completion zsh)" in ~/.zshrc
    fish: teardown completion fish | source in ~/.config/fish/config.fish

    Then start a new shell.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click has these three
    made = kind(context.find_root().command, {}, PROGRAM, VARIABLE)
    click.echo(made.source_template % made.source_vars())


def complete(command: click.Command) -> None:
    """Answer a shell that asks for completions, and end."""
    if asked := os.environ.get(VARIABLE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(command, {}, PROGRAM, VARIABLE, asked))
