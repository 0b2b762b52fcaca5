"""Words of a shell, in commands that people copy. Imports nothing heavy."""

import os
from shlex import quote


def shell_word(text: str) -> str:
    """A word as bash and zsh take it: quoted where that is needed, with every character that a terminal might obey as
    an escape between ``$'`` and ``'``."""
    return quote(text) if text.isprintable() else f"$'{''.join(map(_escaped, text))}'"


def file_word(name: str) -> str:
    """The name of a file as such a word, never to be taken for an option."""
    return shell_word(f"./{name}" if name.startswith("-") and name != "-" else name)


def _escaped(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))
