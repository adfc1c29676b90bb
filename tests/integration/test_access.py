# SPDX-License-Identifier: Apache-2.0
"""Who may do what: roles and owners, certificates, and peers that speak something else."""

import contextlib
import socket
import ssl

import pytest

from harness import PATIENCE, traces
from harness.api import Client, ending, refused
from harness.certificates import CLIENT, CN, O, SERVER, Authority, environment


@pytest.fixture(scope="module")
def authority(agent):
    return Authority.of(agent)


@pytest.fixture
def certified(agent, authority, tmp_path):
    """A gRPC client with a certificate of its own: certified((O, "user"), (CN, "carol"))."""
    clients = []

    def make(*subject, issuer=authority, **options):
        clients.append(Client(environment(agent, tmp_path, *issuer.issue(subject, **options))))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(autouse=True)
def nothing_leaks(agent, admin):
    """The agent has no more descriptors open after a test than before."""
    admin.agent.Ping()
    before = traces.descriptors(agent.hoistd_pid)
    yield
    traces.descriptors_return(admin, agent.hoistd_pid, before)


# --- roles and owners

# Every call that is about one job.
CALLS = {
    "GetJob": lambda client, name: client.jobs.GetJob(name=name),
    "WaitJob": lambda client, name: client.wait_for(name, 0),
    "StreamOutput": lambda client, name: client.output(name, follow=False),
    "SignalJob": lambda client, name: client.jobs.SignalJob(name=name, signal="URG"),
    "StopJob": lambda client, name: client.stop(name, grace=0),
    "DeleteJob": lambda client, name: client.jobs.DeleteJob(name=name, force=True),
}


def name_forms(job):
    """Each way of naming it but the display name, which means the caller's own jobs."""
    full = traces.uuid_of(job)
    return [job.name, full, full[:12]]


@pytest.mark.parametrize("call", CALLS)
def test_another_users_job_does_not_exist(alice, bob, probe, call):
    job = alice.start(probe, "forever", display_name="hers")
    for name in (*name_forms(job), "hers"):
        with refused("NOT_FOUND", "JOB_NOT_FOUND") as refusal:
            CALLS[call](bob, name)
        with refused("NOT_FOUND", "JOB_NOT_FOUND") as unknown:
            CALLS[call](bob, "01234567-89ab-4cde-8f01-23456789abcd")
        assert refusal.message.replace(name, "X") == \
            unknown.message.replace("01234567-89ab-4cde-8f01-23456789abcd", "X"), "the words tell that it exists"
        assert refusal.metadata == unknown.metadata
    assert alice.jobs.GetJob(name=job.name).state == job.state, "it was touched all the same"
    alice.jobs.DeleteJob(name=job.name, force=True)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("caller", ["alice", "admin"])
def test_own_jobs_and_everybodys_for_an_admin(request, alice, probe, call, caller):
    job = alice.start(probe, "forever")
    CALLS[call](request.getfixturevalue(caller), job.name)
    if call != "DeleteJob":
        alice.jobs.DeleteJob(name=job.name, force=True)


def test_lists_show_own_jobs_and_everybodys_to_an_admin(alice, bob, admin):
    label = {"access-list": ""}
    hers, his = alice.run("true", labels=label), bob.run("true", labels=label)

    def names(client, **fields):
        return {job.name for job in client.jobs.ListJobs(labels=label, **fields).jobs}

    assert names(alice) == {hers.name} and names(bob) == {his.name}
    assert names(admin) == {hers.name, his.name}
    assert names(admin, owner="bob") == {his.name} and names(alice, owner="bob") == set()
    for client, job in ((alice, hers), (bob, his)):
        client.jobs.DeleteJob(name=job.name)


def test_a_stop_by_an_admin_is_the_admins(alice, admin, probe):
    job = admin.stop(alice.start(probe, "forever"))
    assert ending(job)[0] == "STOPPED" and (job.created_by, job.stopped_by) == ("alice", "admin")
    assert alice.jobs.GetJob(name=job.name).stopped_by == "admin"


def test_roles_by_ping(alice, admin, certified):
    for client, principal, role in ((alice, "alice", "user"), (admin, "admin", "admin"),
                                    (certified((CN, "nobody")), "nobody", ""),
                                    (certified((O, "wheel"), (CN, "carol")), "carol", "")):
        answer = client.agent.Ping(payload=b"\0payload\xff")
        assert (answer.principal, answer.role, answer.payload) == (principal, role, b"\0payload\xff")
        assert answer.version and answer.server_time.seconds


@pytest.mark.parametrize("subject", [((CN, "alice"),), ((O, "wheel"), (CN, "alice")), ((O, "Admin"), (CN, "alice"))],
                         ids=["no role", "unknown role", "role in capitals"])
def test_without_a_role_there_is_ping_and_health_and_nothing_else(alice, certified, subject):
    """Not even the jobs of the principal's own name."""
    job = alice.run("true")
    client = certified(*subject)
    assert client.agent.Ping().principal == "alice"
    assert client.health.Check().status == 1
    calls = [lambda call=call: CALLS[call](client, job.name) for call in CALLS]
    calls += [lambda: client.start("true"), client.jobs.ListJobs, client.agent.GetInfo]
    for call in calls:
        with refused("PERMISSION_DENIED", "NO_ROLE") as refusal:
            call()
        assert "O=user" in refusal.message
    assert alice.jobs.GetJob(name=job.name).name == job.name


def test_health(alice):
    serving, unknown = 1, 3
    for service in ("", "hoist.v1.JobService", "hoist.v1.AgentService"):
        assert alice.health.Check(service=service).status == serving
    with refused("NOT_FOUND"):
        alice.health.Check(service="no.such.Service")
    for service, status in (("", serving), ("no.such.Service", unknown)):
        watch = alice.health.Watch(service=service)
        assert next(watch).status == status
        watch.cancel()


# --- certificates

# What TLS refuses: the client learns it by an alert, the agent's log says why.
REFUSED_BY_TLS = {
    "expired": ({"valid": (-2, -1)}, "expired on"),
    "not yet valid": ({"valid": (1, 2)}, "is not valid before"),
    "for servers only": ({"usages": (SERVER,)}, "lacks the extended key usage clientAuth"),
    "for nothing in particular": ({"usages": ()}, "lacks the extended key usage clientAuth"),
    "a CA's own": ({"is_ca": True}, "is a CA's own"),
}


def assert_no_entry(client):
    with refused("UNAVAILABLE"):
        client.agent.Ping(timeout=PATIENCE)


def assert_told(agent, attempt, *words):
    """The log tells of a connection that fails, in one line with all of these words. It tells of twenty in a second at
    most, so that it may take more than one attempt."""
    for _ in range(100):
        attempt()
        if any(all(word in line for word in words) for line in agent.log().splitlines()):
            return
    raise AssertionError(f"no line of the log holds {words}")


@pytest.mark.parametrize("case", REFUSED_BY_TLS)
def test_certificate_that_tls_refuses(agent, certified, case):
    options, words = REFUSED_BY_TLS[case]
    principal = f"refused-{case.replace(' ', '-')}".replace("'", "")
    assert_told(agent, lambda: assert_no_entry(certified((O, "user"), (CN, principal), **options)),
                "connection failed", f"CN={principal}", words)


def test_certificate_of_another_authority(agent, certified):
    stranger = Authority.stranger()
    assert_told(agent, lambda: assert_no_entry(certified((O, "admin"), (CN, "admin"), issuer=stranger)),
                "connection failed", "stranger authority")


def test_certificate_for_clients_and_servers_is_a_clients_too(certified):
    assert certified((O, "user"), (CN, "carol"), usages=(CLIENT, SERVER)).agent.Ping().role == "user"


def test_the_agents_own_certificate_is_no_clients(agent, tmp_path):
    with open(f"{agent.dir}/pki/server.pem", "rb") as pem, open(f"{agent.dir}/pki/server.key", "rb") as key:
        client = Client(environment(agent, tmp_path, pem.read(), key.read()))
    assert_no_entry(client)
    client.close()


# What TLS lets through and names nobody: every call is answered so.
NOBODY = {
    "no CN": (((O, "user"),), "has no CN"),
    "two CNs": (((CN, "alice"), (CN, "admin"), (O, "admin")), "has 2 CNs, not one"),
    "two Os": (((O, "admin"), (O, "user"), (CN, "alice")), "has 2 Os, not one"),
    "a NUL in the CN": (((O, "user"), (CN, "admin\0.example")), "holds a NUL"),
    "a slash in the CN": (((O, "user"), (CN, "../admin")), "is no principal"),
    "capitals in the CN": (((O, "user"), (CN, "Admin")), "is no principal"),
    "a newline in the CN": (((O, "user"), (CN, "alice\nadmin")), "is no principal"),
    "an escape in the CN": (((O, "user"), (CN, "\x1b[2Jalice")), "is no principal"),
    "a CN of another alphabet": (((O, "user"), (CN, "\u0430dmin")), "is no principal"),
    "a CN of 64 bytes": (((O, "user"), (CN, "a" * 64)), "is longer than 63 bytes"),
}


@pytest.mark.parametrize("case", NOBODY)
def test_certificate_that_names_nobody(certified, case):
    subject, words = NOBODY[case]
    client = certified(*subject)
    for call in (client.agent.Ping, client.jobs.ListJobs, client.agent.GetInfo):
        with refused("UNAUTHENTICATED", "IDENTITY_INVALID") as refusal:
            call()
        assert words in refusal.message


# --- other protocols


def tls_context(agent, certificate=True, alpn=("h2",), **versions):
    values = agent.environment("alice")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(values["HOIST_CA"])
    if certificate:
        context.load_cert_chain(values["HOIST_CERT"], values["HOIST_KEY"])
    if alpn:
        context.set_alpn_protocols(list(alpn))
    for name, version in versions.items():
        setattr(context, name, version)
    return context


def connect(agent):
    return socket.create_connection(("127.0.0.1", agent.port), timeout=PATIENCE)


def read_to_end(connection):
    """What the agent still says before it closes; an alert or a reset is an end."""
    data = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while chunk := connection.recv(65536):
            data += chunk
    return data


def alert(agent, *, preface=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", **options):
    """The words of the alert that ends a TLS connection; with TLS 1.3 it may come after the handshake."""
    with pytest.raises(ssl.SSLError) as error, connect(agent) as plain:
        with tls_context(agent, **options).wrap_socket(plain, server_hostname="localhost") as connection:
            connection.send(preface)
            while connection.recv(65536):
                pass
    return error.value.args[1]


def test_tls_1_3_with_aes_256_first(agent):
    with connect(agent) as plain:
        with tls_context(agent).wrap_socket(plain, server_hostname="localhost") as connection:
            assert connection.version() == "TLSv1.3" and connection.selected_alpn_protocol() == "h2"
            assert connection.cipher()[0] == "TLS_AES_256_GCM_SHA384"
            assert connection.session is None or not connection.session.has_ticket


def test_no_client_certificate(agent):
    assert alert(agent, certificate=False) .startswith("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]")


def test_tls_1_2(agent):
    words = alert(agent, minimum_version=ssl.TLSVersion.TLSv1_2, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert "protocol version" in words


@pytest.mark.parametrize("alpn", ["http/1.1", "h3"])
def test_wrong_alpn(agent, alpn):
    assert "no application protocol" in alert(agent, alpn=(alpn,))


def test_no_alpn(agent):
    """TLS has no alert for it, but not one byte of HTTP/2 is said or heard."""
    def attempt():
        with connect(agent) as plain, \
                tls_context(agent, alpn=()).wrap_socket(plain, server_hostname="localhost") as connection:
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            assert read_to_end(connection) == b""

    assert_told(agent, attempt, "connection failed", "the client doesn't speak HTTP/2 (ALPN h2)")


@pytest.mark.parametrize("hello", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                   b"\0" * 100, b"SSH-2.0-OpenSSH_9.2\r\n", b"\xff" * 5000],
                         ids=["HTTP/1", "plaintext HTTP/2", "zeros", "SSH", "rubbish"])
def test_plaintext_on_the_port(agent, alice, hello):
    with connect(agent) as connection:
        connection.sendall(hello)
        assert not read_to_end(connection).startswith((b"HTTP", b"\0\0"))
    assert alice.agent.Ping().principal == "alice"


def test_http_1_inside_tls(agent, alice):
    with connect(agent) as plain, tls_context(agent).wrap_socket(plain, server_hostname="localhost") as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not read_to_end(connection).startswith(b"HTTP")
    assert alice.agent.Ping().principal == "alice"


def test_half_open_connections_are_closed(agent, alice):
    """Nothing at all, half a ClientHello, TLS without a preface: each ends by the agent's own timers."""
    context = tls_context(agent)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    with connect(agent) as silent, connect(agent) as half, \
            context.wrap_socket(connect(agent), server_hostname="localhost") as idle:
        half.sendall(hello[:len(hello) // 2])
        assert alice.agent.Ping().principal == "alice"
        for connection in (silent, half, idle):
            connection.settimeout(PATIENCE + 15)
            read_to_end(connection)


def test_a_client_that_vanishes_in_each_phase(agent, alice):
    """Without a word: the connection is cut in the middle of a handshake, of a preface, of a frame."""
    reset = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 s: close(2) sends RST
    for send in (b"", b"\x16\3\1", b"PRI * HTTP/2.0\r\n"):
        connection = connect(agent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        connection.sendall(send)
        connection.close()
    for data in (b"", b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\1\0\1\5"):
        connection = tls_context(agent).wrap_socket(connect(agent), server_hostname="localhost")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        connection.send(data)
        connection.close()
    assert alice.agent.Ping().principal == "alice"


def test_unknown_methods_and_services(agent, alice):
    for path in ("/hoist.v1.JobService/NoSuch", "/no.such.Service/StartJob", "/hoist.v1.JobService/startjob",
                 "/hoist.v1.JobService/StartJob/", "//hoist.v1.JobService/StartJob"):
        with refused("UNIMPLEMENTED", "UNKNOWN_METHOD"):
            alice.channel.unary_unary(path)(b"", timeout=PATIENCE)


def test_compressed_requests_are_refused(agent):
    client = Client(agent.environment("alice"), options=[("grpc.default_compression_algorithm", 2)])
    with refused("UNIMPLEMENTED"):
        client.agent.Ping(payload=b"x" * 1000)
    client.close()


def test_many_connections_come_and_go(agent):
    clients = [agent.client(name) for name in ("alice", "bob", "admin") for _ in range(10)]
    assert {client.agent.Ping().principal for client in clients} == {"alice", "bob", "admin"}
    for client in clients:
        client.close()
