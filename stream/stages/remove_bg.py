"""Background removal: the product alone, on transparency."""

from pathlib import Path

from stream.images.inspect import Picture
from stream.images.loading import NotAPicture
from stream.images.quality import alpha_share
from stream.operations import RemoveBgParams
from stream.stages.bought import BoughtOperation


class RemoveBg(BoughtOperation[RemoveBgParams]):
    """The cut-out."""

    name = "remove-bg"
    params = RemoveBgParams

    def check(self, path: Path, picture: Picture) -> None:
        """A cut-out has transparency, and something is left of the product: later stages cost several times as much."""
        if not picture.has_alpha:
            raise NotAPicture("a cut-out without transparency")
        if alpha_share(path) <= 0.0:
            raise NotAPicture("the cut-out is empty: the product was removed with its background")
