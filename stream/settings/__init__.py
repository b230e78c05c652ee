"""The settings: every figure and address a worker is given, checked once, with its source remembered.

Comes in: flags, the environment and a settings file (`reading`, the only file that reads the environment).
Goes out: one frozen `Settings` (`model`), or `Misconfigured` with a sentence for each wrong value.
"""

from stream.settings.model import Delivery, FileStore, S3Store, Settings
from stream.settings.reading import Row, describe, load

__all__ = ["Delivery", "FileStore", "Row", "S3Store", "Settings", "describe", "load"]
