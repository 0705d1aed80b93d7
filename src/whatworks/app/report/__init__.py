"""How a summary is shown: in the terminal and as one HTML page."""
