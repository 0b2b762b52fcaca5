"""From an object file to an image: what a linker does, as far as kernels need it.

An object (ELF, as Linux has it) holds code and constants in sections, and lists of places in them where the address of
a symbol is to be put. Here the sections are laid out one behind the other; then every symbol has its place, and a place
that wants its address gets the distance from the beginning. What numba and LLVM make for x86-64 asks for nothing but
whole addresses, of 64 bits. Names and numbers are those of the System V ABI (chapters 4 and 5) and of its supplement
for x86-64, the fields' names without their prefixes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.compiled.images import IMAGE, OBJECT, OUTSIDE, Image

LITTLE_ENDIAN_64, X86_64 = b"\x7fELF\x02\x01", 62
PROGBITS, SYMTAB, RELA, REL = 1, 2, 4, 9  # types of sections
WRITE, ALLOC = 1, 2  # flags of sections: written to by the code; there when the code runs
R_X86_64_64 = 1  # the whole address
UNDEFINED = 0  # "section" of a symbol from outside
HEADER = np.dtype(
    {"names": ["machine", "shoff", "shnum"], "formats": ["<u2", "<u8", "<u2"], "offsets": [18, 40, 60], "itemsize": 64}
)
SECTION = np.dtype(
    [("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("addr", "<u8"), ("offset", "<u8"), ("size", "<u8"),
     ("link", "<u4"), ("info", "<u4"), ("addralign", "<u8"), ("entsize", "<u8")]
)  # fmt: skip
SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("shndx", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("sym", "<u4"), ("addend", "<i8")])


class Unlinkable(Exception):
    """It holds more than code, constants and whole addresses."""


def loadable(code: bytes, entry: str) -> bytes:
    """What is kept of an object whose function ``entry`` is called: its image, or itself where there can be none."""
    try:
        return IMAGE + linked(code, entry).packed()
    except Unlinkable:
        return OBJECT + code


def linked(code: bytes, entry: str) -> Image:
    """The image of an object. Raises Unlinkable."""
    laid = Layout(code)
    places: dict[str, list[int]] = {name: [] for name in ("", *OUTSIDE)}  # "" for those of the image itself
    for place, symbol, addend in laid.relocations():
        name = laid.name(symbol) if symbol["shndx"] == UNDEFINED else ""
        if name not in places or (name and addend):
            raise Unlinkable(f"it needs {name}")
        places[name].append(place)
        if not name:
            laid.memory[place : place + 8] = (laid.place(symbol) + addend).to_bytes(8, "little", signed=True)
    own, *outside = (np.array(each, np.uint32) for each in places.values())
    return Image(bytes(laid.memory).ljust(8, b"\0"), laid.place(laid.symbol(entry)), own, outside)


class Layout:
    """The sections of an object that are there when its code runs, one behind the other in ``memory``."""

    def __init__(self, code: bytes) -> None:
        header = np.frombuffer(code, HEADER, 1)[0] if code.startswith(LITTLE_ENDIAN_64) else None
        if header is None or header["machine"] != X86_64:
            raise Unlinkable("it is not for x86-64 under Linux")
        self._code = code
        self._sections = np.frombuffer(code, SECTION, int(header["shnum"]), int(header["shoff"]))
        self._begins: dict[int, int] = {}  # where in memory a section begins, by its number
        self.memory = bytearray()
        for number, section in enumerate(self._sections):
            if section["flags"] & ALLOC and section["size"]:
                self._add(number, section)
        symbols = self._sections[self._sections["type"] == SYMTAB][0]
        self._symbols = self._table(symbols, SYMBOL)
        self._names = self._bytes(self._sections[symbols["link"]])

    def _add(self, number: int, section: Any) -> None:
        if section["type"] != PROGBITS or section["flags"] & WRITE:
            raise Unlinkable("it has memory of its own to write to")
        self.memory += bytes(-len(self.memory) % max(int(section["addralign"]), 1))
        self._begins[number] = len(self.memory)
        self.memory += self._bytes(section)

    def _bytes(self, section: Any) -> bytes:
        return self._code[int(section["offset"]) : int(section["offset"] + section["size"])]

    def _table(self, section: Any, row: np.dtype[np.void]) -> NDArray[np.void]:
        return np.frombuffer(self._bytes(section), row)

    def relocations(self) -> Iterator[tuple[int, Any, int]]:
        """The places in memory that want an address: each with the symbol, and what is to be added to its address."""
        for section in self._sections:
            begins = self._begins.get(int(section["info"]))
            if section["type"] not in (RELA, REL) or begins is None:
                continue
            rows = self._table(section, RELOCATION) if section["type"] == RELA else None
            if rows is None or (rows["type"] != R_X86_64_64).any():
                raise Unlinkable("it asks for addresses that are not whole")
            for row in rows:
                yield begins + int(row["offset"]), self._symbols[row["sym"]], int(row["addend"])

    def place(self, symbol: Any) -> int:
        """Where in memory a symbol stands."""
        begins = self._begins.get(int(symbol["shndx"]))
        if begins is None:
            raise Unlinkable(f"{self.name(symbol)} is not among what is there")
        return begins + int(symbol["value"])

    def name(self, symbol: Any) -> str:
        """What a symbol is called."""
        first = int(symbol["name"])
        return self._names[first : self._names.index(b"\0", first)].decode()

    def symbol(self, name: str) -> Any:
        """The symbol of that name."""
        return next(symbol for symbol in self._symbols if self.name(symbol) == name)
