"""The command ``teardown``. An interrupt while the command line is still being imported is answered as any other."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # typing itself takes milliseconds, in which nobody answers an interrupt
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Import the command line, and run it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, _interrupted)
    from analyzer.cli import main as run

    run()


def _interrupted(*_: object) -> NoReturn:
    os.write(2, b"teardown: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
