"""Colour and provenance: bringing any picture to 8 bit sRGB, and carrying the mark of AI-made pictures on.

Comes in: lazy pictures as the loaders give them. Goes out: how to convert them, and a small XMP packet.
"""

import re
import struct
from typing import Any

import pyvips

_PROFILE = "icc-profile-data"
_XMP = "xmp-data"
_LONGEST_XMP_BYTES = 1024 * 1024
_TAG_TABLE = 128
_MOST_TAGS = 100
_MARK = re.compile(
    rb"DigitalSourceType[^a-z]{0,40}(?:rdf:resource[^a-z]{0,10})?"
    rb"https?://cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{1,64})"
)
_PACKET = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{kind}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)


def conversion(image: pyvips.Image) -> dict[str, Any]:
    """The options that make `thumbnail` convert `image` to sRGB; none where it is sRGB already (twice as fast)."""
    if image.interpretation == "cmyk":
        return {"output_profile": "srgb", "input_profile": "cmyk"}
    if image.get_typeof(_PROFILE) and not is_srgb(image.get(_PROFILE)):
        return {"output_profile": "srgb"}
    return {}


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile calls itself sRGB in its description (ICC.1, tag `desc`)."""
    table = profile[_TAG_TABLE : _TAG_TABLE + 4 + 12 * _MOST_TAGS]
    for at in range(4, len(table) - 11, 12):
        name, offset, size = struct.unpack_from(">4sII", table, at)
        if name == b"desc":
            text = profile[offset : offset + size]
            return b"sRGB" in text or "sRGB".encode("utf-16-be") in text
    return False


def plain(image: pyvips.Image) -> pyvips.Image:
    """Three (or four, with alpha) bands of 8 bit sRGB, of whatever `thumbnail` has left."""
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return image if image.format == "uchar" else image.cast("uchar")


def marked(image: pyvips.Image, source: pyvips.Image) -> pyvips.Image:
    """`image` with nothing of the metadata of `source` but IPTC's DigitalSourceType, in a packet of our own.

    Google Merchant wants the mark of AI-made pictures kept; the rest (places, names, megabytes of history) is not ours
    to publish. Save with `keep="xmp"`.
    """
    image = image.copy()
    if image.get_typeof(_XMP):
        image.remove(_XMP)
    xmp = bytes(source.get(_XMP)) if source.get_typeof(_XMP) else b""
    found = _MARK.search(xmp[:_LONGEST_XMP_BYTES])
    if found is not None:
        packet = _PACKET.format(kind=found[1].decode("ascii"))
        image.set_type(pyvips.GValue.blob_type, _XMP, packet.encode())
    return image
