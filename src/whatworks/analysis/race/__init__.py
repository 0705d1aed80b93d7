"""Racing: which arm leaves, which is asked next, and which are opened on test. Pure."""
