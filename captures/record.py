"""Record the captures of this folder again, from real sockets: ``python captures/record.py NAME... | --all |
--list``.

Needs root, iproute2, nftables, ethtool, tcpdump and editcap. Each capture is played in a laboratory of its
own, several at once because most of the time is waiting. A file is replaced only when its recording
succeeded. Expectations (``NAME.expect.toml``) name streams, states and findings, never times or ports, so
they hold for a new recording too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from captures.recipes import Recipe, load  # noqa: E402
from tests.lab import Lab, missing, pcapfile  # noqa: E402

AT_ONCE = 6


def record(recipe: Recipe, folder: Path) -> int:
    """Play one recipe and put its capture into ``folder``; the bytes it has."""
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch, "raw.pcap")
        play(recipe, raw)
        if recipe.parts is not None:
            return write_parts(recipe, raw, folder / recipe.name)
        if recipe.edit is not None:
            link, packets = pcapfile.read(raw)
            pcapfile.write(raw, link, recipe.edit(packets), recipe.snaplen)
        target = folder / recipe.name
        finished = Path(scratch, recipe.name)
        if target.suffix == ".pcapng":
            pcapfile.to_pcapng(raw, finished)
        else:
            raw.rename(finished)
        return target.write_bytes(finished.read_bytes())


def write_parts(recipe: Recipe, raw: Path, folder: Path) -> int:
    """Put the files that a recording is cut into where the recipe wants them; the bytes they have."""
    assert recipe.parts is not None
    link, packets = pcapfile.read(raw)
    folder.mkdir(exist_ok=True)
    for name, part in recipe.parts(packets).items():
        pcapfile.write(folder / name, link, part, recipe.snaplen)
    return sum(path.stat().st_size for path in folder.iterdir())


def play(recipe: Recipe, raw: Path) -> None:
    """Play the scene in a fresh laboratory, with the tap the recipe asks for."""
    with Lab() as lab:

        def begin() -> None:
            lab.tap(recipe.tap, str(raw), snaplen=recipe.snaplen, filter=recipe.filter)

        if recipe.tap == "middle":
            lab.relay(0.02)
        if recipe.late:
            recipe.play(lab, begin)
        else:
            begin()
            recipe.play(lab)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="captures to record, without suffix")
    parser.add_argument("--all", action="store_true", help="record all of them")
    parser.add_argument("--list", action="store_true", help="list the names and stop")
    parser.add_argument("--to", type=Path, default=HERE, help="folder to write to (default: this one)")
    arguments = parser.parse_args()
    recipes = load()
    if arguments.list:
        print("\n".join(sorted(recipes)))
        return 0
    if reason := missing():
        parser.error(reason)
    if unknown := sorted(set(arguments.names) - set(recipes)):
        parser.error(f"no such recipe: {', '.join(unknown)}")
    return record_all([recipes[name] for name in (recipes if arguments.all else arguments.names)], arguments.to)


def record_all(recipes: list[Recipe], folder: Path) -> int:
    """Record several at once; the exit status is how many failed."""
    failed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {recipe.name: pool.submit(record, recipe, folder) for recipe in recipes}
        for name, result in running.items():
            try:
                print(f"{name}: {result.result()} bytes", flush=True)
            except Exception as error:
                failed += 1
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
