"""Upscaling within the pixel cap: a lower scale rather than a refusal, nothing bought for what is large already."""

from stream.operations import UpscaleParams
from stream.records import Asset
from stream.stages.bought import BoughtOperation, Plan

SMALLEST_SCALE = 2


class Upscale(BoughtOperation[UpscaleParams]):
    """The larger picture. Providers round and cap sizes as they like: what was delivered is recorded as it is."""

    name = "upscale"
    params = UpscaleParams

    def plan(self, source: Asset, params: UpscaleParams, max_pixels: int) -> Plan | None:
        """The scale asked for, or a lower one that stays within the cap; nothing for what is large enough."""
        enough = params.skip_if_longest_side
        if enough is not None and max(source.width, source.height) >= enough:
            return None
        scale: int = params.scale
        if source.width * source.height * scale**2 > max_pixels:
            scale = SMALLEST_SCALE
        chosen = params.model_copy(update={"scale": scale})
        return Plan(chosen, {"scale": scale}, source.width * scale, source.height * scale)
