"""Read FAT12, FAT16 and FAT32. Facts: Microsoft's "FAT: General Overview of On-Disk Format" 1.03, kernel fs/fat."""
