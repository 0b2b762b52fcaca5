"""``python -m tests.lab score`` scores the kept recordings, ``record [NAME...]`` makes them again (root)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import conduct, missing
from .scenario import load


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="play scenarios and keep what was seen and what was true")
    record.add_argument("names", nargs="*", help="scenarios; all when none is named")
    play = commands.add_parser("play", help="play one scenario in this process")
    play.add_argument("name")
    play.add_argument("--number", type=int, default=1, help="chooses the addresses")
    play.add_argument("--looks-only", action="store_true", help="do without tracepoints")
    for command in (record, play):
        command.add_argument("--to", type=Path, default=conduct.RECORDINGS)
    score = commands.add_parser("score", help="hold the program's states against the kernels'")
    score.add_argument("names", nargs="*", help="scenarios; all when none is named")
    score.add_argument("--verbose", action="store_true", help="show every endpoint that differs")
    score.add_argument("--from", type=Path, default=conduct.RECORDINGS, dest="folder")
    commands.add_parser("list", help="list the scenarios")
    arguments = parser.parse_args()
    return {"record": _record, "play": _play, "score": _score, "list": _list}[arguments.command](arguments)


def _list(arguments: argparse.Namespace) -> int:
    for entry in load().values():
        print(f"{entry.name}: {entry.story}")
    return 0


def _play(arguments: argparse.Namespace) -> int:
    truth = conduct.play(load()[arguments.name], arguments.to, arguments.number, looks_only=arguments.looks_only)
    print(f"{len(truth.endpoints)} endpoints, {truth.looks} looks, {truth.contradictions} contradictions")
    return int(truth.contradictions > 0)


def _record(arguments: argparse.Namespace) -> int:
    if reason := missing():
        print(reason, file=sys.stderr)
        return 2
    played = [entry.name for entry in load().values() if entry.play is not None]
    failed = conduct.record_all(arguments.names or played, arguments.to)
    for name, words in failed.items():
        print(f"== {name}\n{words}", file=sys.stderr)
    return int(bool(failed))


def _score(arguments: argparse.Namespace) -> int:
    from . import score

    return score.main(arguments.names, arguments.folder, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
