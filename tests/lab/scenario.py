"""What a scenario is: a scene with real sockets, and what of it packets cannot show.

A scene is a function that gets a fresh laboratory with three taps running (on A, in the middle of the path, on B) and
a relay that takes 10 ms each way. Its docstring says what happens. What the application did when a RST was sent is
said by ``cause``, in the words of the column ``rst_cause``.

``hidden`` is for what no packet at a tap can show, declared beside the scene with its reason: there the program must
say what it can know, and must not be sure of it. A declaration that turns out unnecessary is an error too.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable

from .network import Lab
from .pcapfile import Packet

# What packets cannot show, and why; the documentation's chapter prints it.
REASONS = {
    "silent-death": "The kernel gave up without sending anything: exhausted retransmissions, TCP_USER_TIMEOUT, and the "
    "end of an orphaned FIN_WAIT_2 send no RST. In the capture the endpoint stays in its last state.",
    "never-arrived": "The segment passed the capture point and was lost behind it, and nothing later proves that: what "
    "it would have caused is assumed.",
    "lost-before-the-tap": "The segment was lost before the capture point, and nothing later proves that it was sent.",
    "held-back": "The application has closed, but the FIN waits behind data that the closed window holds back.",
    "no-bucket": "The kernel keeps no TIME_WAIT (its table is full): the endpoint is CLOSED at once, and only a "
    "retransmitted FIN that is answered by RST shows the difference.",
    "began-later": "The packets that decide the state passed before the capture began.",
    "not-captured": "The packets that decide the state were sent in the direction that was not captured.",
}


@dataclasses.dataclass(frozen=True)
class Hidden:
    """At the taps ``taps`` the endpoint of ``host`` (of the ``nth`` connection) really ended with ``kernel``, or as
    much of it as happened while the capture ran, and the program, which cannot know, ends with ``shown`` instead;
    before that both are the same.
    """

    host: str
    why: str
    kernel: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    taps: str = "amb"
    nth: int = 0


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One scene, or a recording of another scene (``base``) as a worse capture would show it (``edit``)."""

    name: str
    group: str
    story: str
    play: Callable[[Lab], None] | None = None
    hidden: tuple[Hidden, ...] = ()
    # What the RST of each connection really was, in the words of `rst_cause`; "unread-data|abort" where packets only
    # show the second. None: not known beforehand.
    causes: tuple[str, ...] | None = ()
    delay: float = 0.01
    filter: str = "tcp"
    base: str = ""
    edit: Callable[[list[Packet], str], list[Packet]] | None = None
    snaplen: int = 128
    taps: str = "amb"
    lossy: bool = False  # packets are lost by chance: where a connection's were, the program may be unsure
    slowest: float = 0.0  # the longest the path takes each way, where the scene changes its delay
    raw_ports: tuple[int, ...] = ()  # ports from which a raw SYN came: no kernel has a socket there to compare with

    @property
    def round_trip_ns(self) -> int:
        """The longest round trip of the scene."""
        return 2 * round(max(self.delay, self.slowest) * 1e9)


SCENARIOS: dict[str, Scenario] = {}


def scenario(**options: object) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Enter a scene under its own name; its docstring's first paragraph is the story."""

    def enter(play: Callable[[Lab], None]) -> Callable[[Lab], None]:
        name, group = play.__name__.replace("_", "-"), play.__module__.rpartition(".")[2]
        add(Scenario(name, group, story_of(play), play, **options))  # type: ignore[arg-type]
        return play

    return enter


def story_of(play: Callable[..., None]) -> str:
    """The first paragraph of a docstring in one line."""
    return " ".join((play.__doc__ or "").split("\n\n")[0].split())


def add(new: Scenario) -> None:
    """Enter a scenario; names are unique and reasons known."""
    assert new.name not in SCENARIOS, new.name
    assert all(hidden.why in REASONS for hidden in new.hidden), new.name
    SCENARIOS[new.name] = new


def load() -> dict[str, Scenario]:
    """All scenarios by name: by file, and in the order they are written there, whoever imported one before."""
    from . import scenarios

    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    ordered = sorted(SCENARIOS.items(), key=lambda item: item[1].group)
    SCENARIOS.clear()
    SCENARIOS.update(ordered)
    return SCENARIOS
