"""Make the captures of `public/` again: ``python -m tests.stories.record NAME... | --all | --list``.

Those of `played.py` need root and the programs of the laboratory; those of `built.py` nothing. What the stories ask
for holds for a new recording too: streams, states, findings, and times as far as the scene fixes them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from captures.record import record_all
from tests.lab import missing

from .built import BUILT
from .played import PLAYED

HERE = Path(__file__).parent / "public"


def main() -> int:
    """Returns how many could not be made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="stories to make, without suffix")
    parser.add_argument("--all", action="store_true", help="make all of them")
    parser.add_argument("--list", action="store_true", help="list the names and stop")
    wanted = parser.parse_args()
    known = sorted({*PLAYED, *BUILT})
    if wanted.list:
        print("\n".join(known))
        return 0
    names = known if wanted.all else wanted.names
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"no such story: {', '.join(unknown)}")
    for name in names:
        if name in BUILT:
            BUILT[name](HERE / f"{name}.pcap")
    played = [PLAYED[name] for name in names if name in PLAYED]
    if played and (reason := missing("openssl")):
        parser.error(reason)
    return record_all(played, HERE)


if __name__ == "__main__":
    sys.exit(main())
