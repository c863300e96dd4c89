"""Read ext2, ext3 and ext4. Facts: the kernel's Documentation/filesystems/ext4, and e2fsprogs' lib/ext2fs/ext2_fs.h."""
