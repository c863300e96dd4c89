"""Make disks from trees."""
