"""The captures with what was found written into them, as comments of their packets (``teardown annotate``).

``comments`` says which frame has which comment, ``frames`` which frames are kept; ``writer`` copies the files block by
block, with ``kernels``, and adds the comments. ``wireshark`` installs the fields that are read from such a file.
"""
