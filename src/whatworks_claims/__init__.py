"""The article's claims as measurements: ``whatworks claims``. See ``registry``."""
