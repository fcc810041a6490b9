"""Evidence by reference: where it is kept and how to tell that it is unchanged (D6)."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Input, Reference, Sha256
from workflows.messages.words import Word

MAX_ATTACHMENT_BYTES = 50 * 1024 * 1024


class MediaType(Word):
    """The media types that evidence may have."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    HEIC = "image/heic"
    MP4 = "video/mp4"
    MOV = "video/quicktime"
    PDF = "application/pdf"
    TEXT = "text/plain"


class Evidence(Input):
    """One attachment. Its content stays where ``uri`` says; only this reference travels."""

    uri: Reference
    media_type: MediaType
    bytes: Annotated[int, Field(strict=True, ge=1, le=MAX_ATTACHMENT_BYTES)]
    sha256: Sha256


MOST_ATTACHMENTS = 20
"""No policy can allow more (D6)."""

EvidenceList = Annotated[tuple[Evidence, ...], Field(max_length=MOST_ATTACHMENTS)]
"""Attachments; how many and how large they may be is a matter of policy (D6)."""

SomeEvidence = Annotated[tuple[Evidence, ...], Field(min_length=1, max_length=MOST_ATTACHMENTS)]
"""At least one attachment: where a rule demands evidence (R2)."""
