"""The lifestyle scene: the product before a background that a prompt describes."""

from stream.operations import ReplaceBgParams
from stream.stages.bought import BoughtOperation


class ReplaceBg(BoughtOperation[ReplaceBgParams]):
    """The scene: any still picture is one; whether it is a good one is for people to see."""

    name = "replace-bg"
    params = ReplaceBgParams
