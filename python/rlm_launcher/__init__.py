"""Starts sandboxes for one worker: a small process with an empty environment that forks quickly.

Standard library only, Python >= 3.9, Linux.
"""
