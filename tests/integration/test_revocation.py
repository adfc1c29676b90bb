# SPDX-License-Identifier: Apache-2.0
"""Connections that are open when their certificate is revoked or expires: their calls end, and no other is let in."""

import datetime
import os
import re
import signal
import tempfile

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness import PATIENCE
from harness.api import Client, refused, word
from harness.certificates import CN, O, Authority, environment
from harness.cli import Cli

CAROL = ((O, "user"), (CN, "carol"))
DAY = 24 * 60 * 60


class Revocable:
    """An agent with a revocation list, which is empty at first."""

    def __init__(self, agent, directory):
        self.agent, self.directory, self.clients = agent, directory, []
        self.authority = Authority.of(agent)
        self.list = f"{agent.dir}/etc/clients.crl"
        self.publish()
        with open(f"{agent.dir}/etc/hoistd.yaml") as file:
            text = file.read()
        with open(f"{agent.dir}/etc/hoistd.yaml", "w") as file:
            file.write(re.sub(r"^tls:\n", f"tls:\n  crl: {self.list}\n", text, flags=re.MULTILINE))
        agent.restart()

    def publish(self, *revoked):
        """The authority's list with these certificates (PEM) in the place of the one before."""
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.authority.certificate.subject)
                   .last_update(now - datetime.timedelta(1)).next_update(now + datetime.timedelta(1)))
        for certificate in revoked:
            serial = x509.load_pem_x509_certificate(certificate).serial_number
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial)
                .revocation_date(now - datetime.timedelta(1)).build())
        with open(f"{self.list}.new", "wb") as file:
            file.write(builder.sign(self.authority.key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM))
        os.rename(f"{self.list}.new", self.list)

    def revoke(self, *certificates):
        self.publish(*certificates)
        os.kill(self.agent.launcher_pid, signal.SIGHUP)

    def issue(self, seconds=DAY):
        """(certificate, environment) of carol's, in a directory of its own."""
        place = tempfile.mkdtemp(dir=self.directory)
        certificate, key = self.authority.issue(CAROL, valid=(-1, seconds / DAY))
        return certificate, environment(self.agent, place, certificate, key)

    def connect(self, of):
        self.clients.append(Client(of))
        return self.clients[-1]


@pytest.fixture
def revocable(make_agent, tmp_path):
    made = Revocable(make_agent(), tmp_path)
    yield made
    for client in made.clients:
        client.close()


def ends_unauthenticated(call, words):
    """Of a call that has begun: it ends with that, whatever came before."""
    with refused("UNAUTHENTICATED", "IDENTITY_INVALID") as refusal:
        for _ in call:
            pass
    assert words in refusal.message


def test_calls_of_the_revoked_end_and_no_other_is_let_in(revocable, probe):
    certificate, of_carol = revocable.issue()
    _, of_her_other_self = revocable.issue()
    carol, other = revocable.connect(of_carol), revocable.connect(of_her_other_self)
    job = carol.start(probe, "out", "before", ",", "await", "10", ",", "out", "after")
    following = carol.jobs.StreamOutput(name=job.name, follow=True)
    next(following)
    waiting = carol.jobs.WatchJob(name=job.name)
    next(waiting)
    kept = other.jobs.StreamOutput(name=job.name, follow=True)
    next(kept)

    with Cli(of_carol).running("logs", "-f", job.name) as logs:
        assert logs.stdout.read(6) == b"before"
        revocable.revoke(certificate)
        ends_unauthenticated(following, "was revoked")
        ends_unauthenticated(waiting, "was revoked")
        _, told = logs.communicate(timeout=PATIENCE)
        assert logs.returncode == 1 and b"was revoked" in told

    with refused("UNAVAILABLE"):
        carol.jobs.GetJob(name=job.name)
    assert word("JobState", other.jobs.GetJob(name=job.name).state) == "RUNNING"
    other.jobs.SignalJob(name=job.name, signal="USR1")
    assert b"after" in b"".join(message.chunk.data for message in kept)
    revocable.agent.wait_log("was revoked by")


def follow_with_little_time(revocable, job):
    """A stream of output that has begun, of a client whose certificate expires soon: as soon as this machine allows."""
    for seconds in (4, 8, 16, 32):
        _, short_lived = revocable.issue(seconds)
        following = revocable.connect(short_lived).jobs.StreamOutput(name=job.name, follow=True)
        try:
            next(following)
            return following
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED), "it came too late"
    raise AssertionError("no handshake was faster than a certificate's end")


def test_calls_end_when_their_certificate_expires(revocable, probe):
    _, of_carol = revocable.issue()
    job = revocable.connect(of_carol).start(probe, "out", "before", ",", "forever")
    ends_unauthenticated(follow_with_little_time(revocable, job), "has expired")
