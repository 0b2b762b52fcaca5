"""Captures that are no files on disk: bytes, open files, packets of scapy and pyshark.

    bytes, open file  ->  files      ┐
    scapy packets     ->  frames     ├─>  a byte stream  ->  packet_source: read as a file is
    pyshark packets   ->  frames     ┘
    pyshark capture   ->  its file, and of that the frames that its filter lets pass

So each of them is read as a file with the same bytes would be. Neither scapy nor pyshark is imported by this: whoever
has an object of theirs has imported them.
"""
