"""Methods: one file each, listed in ``registry``."""
