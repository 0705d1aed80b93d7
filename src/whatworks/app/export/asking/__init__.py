"""An exported arm, asked: this folder travels with it, and nothing else of the package is needed.

``ask.json`` says what the arm puts around a request, and where what it searches and runs lies.
"""
