"""A shadow below the product: an optional stage, named in a pipeline file by `operation: add-shadow`."""

from stream.operations import AddShadowParams
from stream.stages.bought import BoughtOperation


class AddShadow(BoughtOperation[AddShadowParams]):
    """The picture with its shadow."""

    name = "add-shadow"
    params = AddShadowParams
