"""The keys a hub needs, each for one purpose, and what hands out keys to others."""

from __future__ import annotations

import attrs

from broker.identity.apikeys import ApiKeys
from broker.identity.media import Media, WebRtc
from broker.identity.signatures import Signatures
from broker.identity.sources import Sources
from broker.identity.tokens import Signer
from broker.routing.pins import PinSpace


@attrs.frozen(kw_only=True)
class Secrets:
    """The keys a hub needs."""

    signer: Signer
    pinspace: PinSpace
    fingerprint_key: bytes = attrs.field(repr=False)
    api_keys: ApiKeys = attrs.field(factory=lambda: ApiKeys(bytes(32)), repr=False)
    signatures: Signatures = attrs.field(factory=lambda: Signatures(bytes(32)), repr=False)
    page_key: bytes = attrs.field(default=bytes(32), repr=False)
    sources: Sources = attrs.field(factory=lambda: Sources(bytes(32)), repr=False)
    media: Media = attrs.field(factory=WebRtc, repr=False)
