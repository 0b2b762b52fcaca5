"""What all commands of the command line are. Nothing heavy is imported."""

from collections import Counter

import click

LISTS = {"NAMES", "CODES", "ADDRESSES", "PORTS", "STREAMS", "WORDS"}  # metavars of options that take several values


class Command(click.Command):
    """A command that refuses an option with a value that is given more than once: click would take the last."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        given = [] if context.resilient_parsing else self._given(context, arguments)
        for option, times in Counter(given).items():
            if times > 1 and isinstance(option, click.Option) and not (option.is_flag or option.multiple):
                several = "; separate several values by commas" if option.metavar in LISTS else ""
                raise click.UsageError(f"{max(option.opts, key=len)} is given more than once{several}", context)
        return super().parse_args(context, arguments)

    def _given(self, context: click.Context, arguments: list[str]) -> list[click.Parameter]:
        """The options and arguments that are given, in their order. Raises UsageError, which names the command."""
        try:
            return self.make_parser(context).parse_args(list(arguments))[2]
        except click.UsageError as error:
            error.ctx = error.ctx or context
            raise
