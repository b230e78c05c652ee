"""The real services tests stand on: Apache Kafka from its own jars, SeaweedFS from its wheel.

Each is a child process on loopback with free ports and its own folder; none outlives the process that started it.
"""


class ServiceMissing(Exception):
    """A service cannot be provided here. The message names the command or setting that provides it."""
