"""Connections as hosts make them, many at a time on the same few addresses, and what may befall a capture of them."""

import numpy as np
from numpy.typing import NDArray

from analyzer.segments.table import (
    ACK,
    CUT_HEADER,
    FIN,
    HAS_IP_ID,
    HAS_TIMESTAMP,
    PADDED,
    QUOTED,
    RST,
    SEGMENT,
    SHORT_QUOTE,
    SYN,
)

MS, SECOND = 1_000_000, 1_000_000_000
PAUSES = [*(1, 900, 20_000, 300_000, 2 * MS, 40 * MS) * 4, 250 * MS, 3 * SECOND]
LONG = [1, 1, 1, 5 * SECOND, 29 * SECOND, 31 * SECOND, 61 * SECOND, 70 * SECOND, 301 * SECOND]
AGAIN = [MS, 300 * MS, SECOND, 2 * SECOND, 20 * SECOND, 59 * SECOND, 60 * SECOND, 61 * SECOND, 125 * SECOND]
MASK = 2**32 - 1


def connection(dice: np.random.Generator, trouble: float) -> list[dict[str, int]]:
    """The segments of one connection, with ``time`` since it began; how often something unforeseen happens is up to
    ``trouble``."""
    start = dice.integers(0, 2**32, 2)
    sent, acked = [int(n) for n in start], [0, 0]
    rows: list[dict[str, int]] = []
    now, ids = 0, [int(n) for n in dice.integers(1, 60_000, 2)]
    stamped = HAS_TIMESTAMP if dice.random() < 0.5 else 0

    def send(side: int, flags: int, length: int = 0) -> None:
        nonlocal now
        now += int(dice.choice(PAUSES)) * int(dice.integers(1, 4))
        ids[side] = ids[side] % 65_000 + int(dice.choice([1, 1, 1, 3]))
        rows.append(
            {
                "time": now,
                "side": side,
                "flags": flags,
                "seq": sent[side] & MASK,
                "ack": sent[1 - side] & MASK if flags & ACK else 0,
                "payload_len": length,
                "window": 60_000,
                "window_scale": int(dice.integers(-1, 9)) if flags & SYN else -1,
                "ip_id": ids[side],
                "ttl": 64 - 7 * side,
                "ts_val": now // MS,
                "ts_ecr": 0,
                "marks": HAS_IP_ID | stamped,
            }
        )
        acked[side] = sent[1 - side]
        sent[side] += length + (flags & SYN > 0) + (flags & FIN > 0)

    send(0, SYN)
    if dice.random() < 0.05:
        return rows
    send(1, SYN | ACK)
    send(0, ACK)
    for _ in range(int(dice.choice([0, 1, 2, 3, 4, 5, 18, 40], p=[0.05, 0.1, 0.2, 0.25, 0.2, 0.1, 0.07, 0.03]))):
        side = int(dice.integers(0, 2))
        send(side, ACK, int(dice.choice([1, 5, 900, 1448])))
        if dice.random() < 0.6:
            send(1 - side, ACK)
    first = int(dice.integers(0, 2))
    if dice.random() < 0.04:
        send(first, RST | ACK)
        return spoilt(rows, dice, trouble)
    now += int(dice.choice(LONG)) if dice.random() < 0.1 else 0
    send(first, FIN | ACK, int(dice.choice([0, 0, 0, 700])))
    if dice.random() < 0.5 and acked[1 - first] != sent[first]:
        send(1 - first, ACK)
        now += int(dice.choice([0, 0, 0, 500 * MS, 2 * SECOND]))
    send(1 - first, FIN | ACK, int(dice.choice([0] * 9 + [5])))
    if dice.random() < 0.97:
        send(first, ACK)
    return spoilt(rows, dice, trouble)


def spoilt(rows: list[dict[str, int]], dice: np.random.Generator, trouble: float) -> list[dict[str, int]]:
    """The same with something lost, repeated, swapped, delayed or wrong here and there."""
    while dice.random() < trouble:
        place = int(dice.integers(0, len(rows)))
        row = rows[place]
        what = int(dice.integers(0, 13))
        if what == 0:
            del rows[place]
        elif what == 1:
            late = int(dice.choice([1, 500, 3 * MS, 210 * MS, 40 * SECOND, 65 * SECOND]))
            rows.append(row | {"time": rows[-1]["time"] + late, "ip_id": row["ip_id"] + int(dice.integers(0, 2))})
        elif what == 2:
            rows.insert(place, dict(row))
        elif what == 3 and place:
            rows[place - 1], rows[place] = (
                row | {"time": rows[place - 1]["time"]},
                rows[place - 1] | {"time": row["time"]},
            )
        elif what == 4:
            row["window"] = 0
        elif what == 5:
            row["ack"] = row["ack"] + int(dice.choice([-1, 1, 1448])) & MASK
        elif what == 6:
            row["seq"] = row["seq"] + int(dice.choice([-1, 1, 1448])) & MASK
        elif what == 7:
            row["marks"] |= CUT_HEADER
        elif what == 8:
            row["flags"] ^= int(dice.choice([FIN, RST, SYN, ACK, 8, 64]))
        elif what == 9:
            row["payload_len"] = int(dice.choice([0, 1, 70_000]))
        elif what == 10 and place:
            row["time"] = rows[place - 1]["time"] - int(dice.choice([0, 0, 500_000, 3 * MS, 2 * SECOND]))
        elif what == 11:
            for later in rows[place:]:
                later["time"] += int(dice.choice(LONG))
        elif what == 12:
            row["side"] ^= 1
        if not rows:
            break
    return rows


def answered_by_icmp(rows: list[dict[str, int]], dice: np.random.Generator) -> list[dict[str, int]]:
    """The same with an ICMP error about one of them, once or twice: it quotes it whole or in part, rightly or not."""
    if not rows:
        return rows
    row = rows[int(dice.integers(0, len(rows)))]
    error = row | {
        "time": row["time"] + int(dice.choice([1, MS, 3 * SECOND, 65 * SECOND])),
        "seq": row["seq"] + int(dice.choice([0, 0, 0, -1, 1 << 31])) & MASK,
        "marks": HAS_IP_ID | QUOTED | int(dice.choice([0, SHORT_QUOTE])),
        "ts_val": int(dice.choice([0x301, 0x303, 0xB00, 0x500, 0])),
        "ts_ecr": int(dice.integers(0, 2)),
    }
    return sorted([*rows, error, *[error | {"time": error["time"] + MS}] * int(dice.integers(0, 2))], key=by_time)


def with_padding(rows: list[dict[str, int]], dice: np.random.Generator) -> list[dict[str, int]]:
    """The same with padding on some of those that carry nothing, which was counted as payload."""
    padded = [row["payload_len"] == 0 and dice.random() < 0.3 for row in rows]
    more = {"payload_len": 6}
    return [
        row | more | {"marks": row["marks"] | PADDED} if one else row for row, one in zip(rows, padded, strict=True)
    ]


def by_time(row: dict[str, int]) -> int:
    return row["time"]


def capture(count: int, seed: int, trouble: float = 0.25) -> NDArray[np.void]:
    """The segments (SEGMENT) of ``count`` connections between few hosts, so that tuples come again, as a rule when the
    connection before has ended, in the order of their times but for some that come late."""
    dice, others = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    made, span = [], count * 50 * MS
    ended: list[tuple[int, int]] = []  # ports, and when their last connection ended
    for number in range(count):
        begin, kind = 10**18 + int(dice.integers(0, span)), dice.random()
        port = 30_000 + (number if kind < 0.9 else int(dice.integers(0, 8)))
        if kind < 0.3 and ended:
            port, end = ended.pop(int(dice.integers(0, len(ended))))
            begin = end + int(dice.choice(AGAIN)) + int(dice.integers(0, 2))
        rows = connection(dice, trouble)
        ended.append((port, begin + max([row["time"] for row in rows], default=0)))
        rows = answered_by_icmp(rows, others) if others.random() < trouble / 5 else rows
        rows = with_padding(rows, others) if others.random() < trouble / 10 else rows
        swapped = dice.random() < 0.1  # it is opened from the other side
        for row in rows:
            side = row.pop("side") ^ swapped
            ends = [(0, port), (1, 80)]
            (row["src"], row["src_port"]), (row["dst"], row["dst_port"]) = ends[side], ends[1 - side]
            row["time"] += begin
            back = int(dice.choice([0, MS // 2, 2 * MS, 5 * SECOND])) if dice.random() < trouble / 50 else 0
            made.append((row["time"] + back, row))
    made.sort(key=lambda pair: pair[0])
    rows = np.zeros(len(made), SEGMENT)
    for name in made[0][1]:
        rows[name] = [row[name] for _, row in made]
    rows["frame"] = np.arange(1, len(rows) + 1)
    rows["sender"] = -1
    return rows
