"""The worlds as fixtures; their certificates are made by trustme, once."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from broker.transport.links import Settings
from broker.transport.tls import server_context
from tests.transport.worlds import World, memory_world, reactor_world

WORLDS = ["memory", "reactor", "memory-tls", "reactor-tls"]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with key and certificate of broker.test."""
    path = tmp_path_factory.mktemp("tls") / "broker.pem"
    authority.issue_cert("broker.test").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(params=WORLDS)
def make_world(
    request: pytest.FixtureRequest, certificate: Path, trusting: ssl.SSLContext
) -> Iterator[Callable[..., World]]:
    """Worlds with settings of one's own."""
    made: list[World] = []
    kind, _, tls = request.param.partition("-")
    make = memory_world if kind == "memory" else reactor_world

    def create(**settings: object) -> World:
        contexts = (server_context(certificate), trusting) if tls else (None, None)
        world = make(Settings(**settings), *contexts)  # type: ignore[arg-type]
        made.append(world)
        return world

    yield create
    for world in made:
        world.transport.dispose()
        for end in world.sockets:
            end.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
