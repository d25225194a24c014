"""The way to a server as networks have it: proxies, certificates, redirects, streams."""

import asyncio
import datetime as dt
import ipaddress
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.models.fakes import FakeServer, pool, request, says, served

from data_designer import errors
from data_designer.models.client import ModelClient
from data_designer.models.http_sessions import open_session, trusted
from data_designer.models.preflight import check_pools
from data_designer.models.transport import Transport

pytestmark = pytest.mark.usefixtures("sockets")

VARIABLES = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
HOST = "http://models.corp.invalid/v1"


async def post(url: str, proxy: str | None = None) -> Any:
    """Post an empty object to an address."""
    async with open_session() as session:
        data, _ = await Transport(url, {}, "model 'm'", session, 5.0).through(proxy).post(b"{}")
        return data


def error_of(scenario: Callable[[], Any]) -> errors.ModelError:
    """What is raised."""
    with pytest.raises(errors.ModelError) as caught:
        asyncio.run(scenario())
    return caught.value


# --- proxies -----------------------------------------------------------------------------------------------------


def test_a_proxy_is_asked_for_a_host_that_only_it_knows() -> None:
    """It gets the credentials that its URL holds; the server's route stays what it is."""

    async def scenario() -> tuple[Any, FakeServer]:
        async with served(says({"a": 1})) as proxy:
            where = proxy.url.removesuffix("/v1").replace("//", "//user:hunter22@")
            return await post(f"{HOST}/chat?a=b", where), proxy

    data, proxy = asyncio.run(scenario())
    assert data == {"a": 1}
    assert proxy.paths == ["/v1/chat"]
    assert proxy.headers[0]["Host"] == "models.corp.invalid"
    assert proxy.headers[0]["Proxy-Authorization"] == f"Basic {b64encode(b'user:hunter22').decode()}"


def test_a_proxy_that_is_not_there_is_what_the_error_says() -> None:
    """Not the server, which may well be; without the proxy's password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = error_of(lambda: post(HOST, f"http://user:hunter22@127.0.0.1:{port}"))
    assert isinstance(error, errors.ModelAPIConnectionError)
    assert f"the proxy http://127.0.0.1:{port} does not answer" in str(error)
    assert "HTTPS_PROXY" in str(error)
    assert "hunter22" not in repr(error)


GOOD = {"choices": [{"message": {"content": "fine"}}]}


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's client finds it by itself, before a run and in it."""

    async def scenario() -> list[str]:
        async with served(says(GOOD)) as proxy, open_session() as session:
            monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
            monkeypatch.setenv("no_proxy", "")
            await ModelClient(pool(HOST), None, session).ask(request())
            await check_pools([(pool(HOST), None)])
            return proxy.paths

    assert asyncio.run(scenario()) == ["/v1/chat/completions"] * 2


def test_the_simulated_model_is_asked_directly_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server is the run's own, also where replicas elsewhere ask it by this machine's address."""
    monkeypatch.setenv("http_proxy", "http://proxy.corp.invalid")
    monkeypatch.setenv("no_proxy", "")

    async def proxies(kind: str) -> list[str | None]:
        async with open_session() as session:
            client = ModelClient(pool("http://192.0.2.1:1/v1", provider={"provider_type": kind}), None, session)
            return [transport._proxy for transport in client._transports]

    assert asyncio.run(proxies("simulated")) == [None]
    assert asyncio.run(proxies("openai")) == ["http://proxy.corp.invalid"]


@asynccontextmanager
async def tunnelling() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that leads on to wherever it is asked for, and the heads of the requests for that."""
    heads: list[bytes] = []
    pipes: list[asyncio.Task[None]] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = heads[-1].split()[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        pipes.extend(asyncio.create_task(pipe(*way)) for way in ((reader, far_writer), (far_reader, writer)))

    async with await asyncio.start_server(lead, "127.0.0.1", 0) as server:
        yield f"http://user:hunter22@127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
        await asyncio.gather(*pipes)


def test_tls_goes_through_a_proxy_unread(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By CONNECT, with the proxy's credentials for the proxy alone."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def scenario() -> tuple[Any, list[bytes]]:
        async with speaking_tls(certificate) as url, tunnelling() as (proxy, heads):
            return await post(url, proxy), heads

    data, heads = asyncio.run(scenario())
    assert data == {"a": 1}
    assert len(heads) == 1
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b64encode(b"user:hunter22") in heads[0]


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_a_tunnel_is_named(status: int) -> None:
    """It answers CONNECT with a status of its own."""

    async def scenario() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            where = f"http://user:hunter22@127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await post(HOST.replace("http:", "https:"), where)

    error = error_of(scenario)
    assert "the proxy http://127.0.0.1:" in str(error)
    assert f"HTTP {status}" in str(error)
    assert "hunter22" not in repr(error)


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate of 127.0.0.1 that nobody has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "models")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def speaking_tls(certificate: Path) -> AsyncIterator[str]:
    """A server that speaks TLS with it."""
    app = web.Application()

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"a": 1})

    app.router.add_post("/v1", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    runner = web.AppRunner(app, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def asked_over_tls(certificate: Path) -> Any:
    """Ask such a server once."""
    async with speaking_tls(certificate) as url:
        return await post(url)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_certificate_of_one_s_own_is_trusted_where_the_environment_says_so(
    name: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the variables that other clients read."""
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(certificate))
    assert asyncio.run(asked_over_tls(certificate)) == {"a": 1}


def test_a_certificate_that_is_not_trusted_is_named_with_the_variable(certificate: Path) -> None:
    """It may not even be retried into a success, but a server may be exchanging it."""
    error = error_of(lambda: asked_over_tls(certificate))
    assert isinstance(error, errors.ModelAPIConnectionError)
    assert "the certificate of https://127.0.0.1" in str(error)
    assert "SSL_CERT_FILE" in str(error)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_warned_of(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the variable and the file; an endpoint without TLS needs none."""
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    assert trusted({"SSL_CERT_FILE": str(path)}) is None
    assert re.search("SSL_CERT_FILE names '.*certificates.pem', which cannot be read", caplog.text)


def test_without_a_variable_this_machine_s_certificates_are_trusted(tmp_path: Path) -> None:
    """A folder may be named as well."""
    assert trusted({"SSL_CERT_FILE": ""}) is None
    assert trusted({"REQUESTS_CA_BUNDLE": str(tmp_path)}) is not None
    assert trusted({"SSL_CERT_DIR": str(tmp_path)}) is not None


# --- redirects and streams ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target", "endpoint"),
    [
        ("https://u:hunter22@new/v2/chat/completions?key=abcdef", "https://new/v2/chat/completions", "https://new/v2"),
        ("//new/v2/chat/completions/", "http://new/v2/chat/completions/", "http://new/v2"),
        ("https://new/login", "https://new/login", "https://new/login"),
    ],
)
def test_a_redirect_names_where_to_and_is_not_followed(status: int, location: str, target: str, endpoint: str) -> None:
    """The prompt goes to nobody whom the user did not name."""

    async def scenario() -> None:
        async with served(says("", status, Location=location)) as server:
            await post(f"{server.url}/chat/completions")

    error = error_of(scenario)
    assert f"HTTP {status}" in str(error)
    assert f"it sends requests on to {target}: make the provider's endpoint {endpoint}" in str(error)
    assert not error.retryable
    assert "hunter22" not in repr(error)
    assert "abcdef" not in repr(error)


def test_a_redirect_to_nowhere_is_an_error_like_any_other() -> None:
    """Some lack the header."""

    async def scenario() -> None:
        async with served(says("gone", 302)) as server:
            await post(server.url)

    assert "HTTP 302: gone" in str(error_of(scenario))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('data: {"choices":[]}\n\ndata: [DONE]\n', "text/event-stream; charset=utf-8"),
        (": ping\n\n", "text/event-stream"),
        ('data: {"choices":[]}\n\n', "application/json"),
    ],
)
def test_a_stream_of_events_is_called_that(content: str, kind: str) -> None:
    """It says what to change."""

    def answer(_: web.Request) -> web.Response:
        return web.Response(body=content.encode(), headers={"content-type": kind})

    async def scenario() -> None:
        async with served(answer) as server:
            await post(server.url)

    error = error_of(scenario)
    assert "a stream of server-sent events" in str(error)
    assert "take `stream` out of extra_body" in str(error)
