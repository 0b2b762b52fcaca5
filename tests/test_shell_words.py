"""Names in commands that people copy: a shell gives back what was named."""

import os
import subprocess

import pytest

from analyzer.shell_words import file_word, shell_word

NAMES = [
    "a.pcap",
    "sp ace's.pcap",
    "na\nme\x1b[31m.pcap",
    "it's\\\t.pcap",
    "bad\udcff1.pcap",
    "\u202egnp.pcap",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_the_name_again(name: str) -> None:
    word = shell_word(name)
    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)


def test_a_file_is_no_option() -> None:
    assert file_word("-x.pcap") == "./-x.pcap" and file_word("-") == "-"
