"""An ext4 root, written by goldsmith itself: where every byte comes from is known before one is written.

``skeleton`` has mke2fs make the empty file system (its tables, journal and reserves are mke2fs's own), ``plan`` gives
each path its inode and its blocks, ``write`` fills the skeleton in. Facts: "ext4 Data Structures and Algorithms" in the
kernel's documentation.
"""
