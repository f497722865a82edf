"""What is told and changes nothing: streams, decisions, transcripts, the schema; put together here."""

from __future__ import annotations

from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.credentials import Credentials
from broker.runtime.feeds import Feeds
from broker.runtime.keyring import Secrets
from broker.runtime.media import Hand
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.own import Own
from broker.runtime.requests import Requests
from broker.runtime.subscriptions import Subscriptions
from broker.runtime.transcripts import Transcripts
from broker.runtime.watch import Watch


class Reading:
    """The hub's own operations."""

    def __init__(
        self,
        *,
        requests: Requests,
        answers: Answers,
        asks: Asks,
        outbox: Outbox,
        feeds: Feeds,
        conductor: Conductor,
        credentials: Credentials,
        watch: Watch,
        clock: Clock,
        secrets: Secrets,
        options: Options,
    ) -> None:
        self.subscriptions = Subscriptions(feeds=feeds, outbox=outbox, answers=answers, asks=asks, options=options)
        Own(
            requests=requests,
            answers=answers,
            subscriptions=self.subscriptions,
            media=Hand(secrets.media, clock, answers, conductor, retry_most=options.retry_most),
            credentials=credentials,
            conductor=conductor,
            watch=watch,
            asks=asks,
            options=options,
        )
        Transcripts(
            requests=requests,
            answers=answers,
            asks=asks,
            feeds=feeds,
            conductor=conductor,
            clock=clock,
            secrets=secrets,
            options=options,
        )
