"""Target kinds, one file each."""
