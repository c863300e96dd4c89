"""Read disks that others have made: partition tables, ext4 and vfat, without mounting and without root."""
