# SPDX-License-Identifier: Apache-2.0
"""hoist-pki: what it makes is what agents and clients demand, and what it refuses."""

import datetime
import os
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness import TOP

PKI = f"{TOP}/tools/hoist-pki"


def pki(*arguments, code=0, **options):
    done = subprocess.run([PKI, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **options)
    assert done.returncode == code, done.stderr
    return done


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def extension(of, kind):
    return of.extensions.get_extension_for_class(kind)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki") / "pki"
    pki("init", directory)
    return directory


@pytest.mark.parametrize("name, purpose", [("server-ca", ExtendedKeyUsageOID.SERVER_AUTH),
                                           ("client-ca", ExtendedKeyUsageOID.CLIENT_AUTH)])
def test_init_makes_authorities_for_one_purpose_each(authorities, name, purpose):
    made = certificate(authorities / f"{name}.pem")
    basic = extension(made, x509.BasicConstraints)
    assert basic.critical and basic.value.ca and basic.value.path_length == 0
    usage = extension(made, x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.digital_signature
    assert list(extension(made, x509.ExtendedKeyUsage).value) == [purpose]


def test_issue_client_carries_principal_and_role(authorities):
    pki("issue", authorities, "carol", "--client", "--role", "user")
    made = certificate(authorities / "carol.pem")
    subject = [(attribute.oid, attribute.value) for attribute in made.subject]
    assert sorted(subject, key=str) == sorted([(NameOID.COMMON_NAME, "carol"),
                                               (NameOID.ORGANIZATION_NAME, "user")], key=str)
    assert not extension(made, x509.BasicConstraints).value.ca
    assert list(extension(made, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert made.not_valid_after - made.not_valid_before == datetime.timedelta(days=90)
    with pytest.raises(x509.ExtensionNotFound):
        extension(made, x509.SubjectAlternativeName)


def test_issue_server_carries_names_and_addresses(authorities):
    pki("issue", authorities, "node1", "--server", "--host", "node1.example.org", "--host", "node1", "--ip", "192.0.2.7",
        "--ip", "2001:db8::7")
    names = extension(certificate(authorities / "node1.pem"), x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node1.example.org", "node1"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::7"]


@pytest.mark.parametrize("key_type, kind, size", [
    ("p384", ec.EllipticCurvePrivateKey, 384), ("p256", ec.EllipticCurvePrivateKey, 256),
    ("ed25519", ed25519.Ed25519PrivateKey, None), ("rsa4096", rsa.RSAPrivateKey, 4096)])
def test_every_key_type_works_for_authorities_and_certificates(tmp_path, key_type, kind, size):
    directory = tmp_path / "pki"
    pki("init", directory, "--key-type", key_type)
    pki("issue", directory, "dave", "--client", "--role", "admin", "--key-type", key_type)
    pki("verify", directory)
    key = load_pem_private_key((directory / "dave.key").read_bytes(), None)
    assert isinstance(key, kind)
    assert size is None or key.key_size == size


def test_serials_are_random_and_positive(authorities):
    serials = set()
    for number in range(3):
        pki("issue", authorities, f"serial{number}", "--client", "--role", "user", "--key-type", "p256")
        serials.add(certificate(authorities / f"serial{number}.pem").serial_number)
    assert len(serials) == 3
    assert all(serial.bit_length() > 100 for serial in serials)


def test_keys_are_readable_by_their_owner_alone(authorities):
    for key in authorities.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(authorities.stat().st_mode) == 0o700


def test_encrypted_key_opens_with_its_passphrase_only(authorities, tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse\n")
    pki("issue", authorities, "erin", "--client", "--role", "user", "--encrypt-key", "--passphrase-file", passphrase)
    key = (authorities / "erin.key").read_bytes()
    assert load_pem_private_key(key, b"correct horse")
    with pytest.raises(ValueError):
        load_pem_private_key(key, b"another one")
    pki("verify", authorities, "erin", "--passphrase-file", passphrase)
    passphrase.write_text("another one\n")
    assert "passphrase" in pki("verify", authorities, "erin", "--passphrase-file", passphrase, code=1).stderr


def test_verify_finds_a_foreign_key(authorities, tmp_path):
    copy = tmp_path / "pki"
    subprocess.run(["cp", "-a", authorities, copy], check=True)
    pki("issue", copy, "frank", "--client", "--role", "user")
    pki("issue", copy, "grace", "--client", "--role", "user")
    os.replace(copy / "grace.key", copy / "frank.key")
    assert "frank.key" in pki("verify", copy, "frank", code=1).stderr


def test_verify_finds_an_open_key(authorities, tmp_path):
    copy = tmp_path / "pki"
    subprocess.run(["cp", "-a", authorities, copy], check=True)
    (copy / "client-ca.key").chmod(0o644)
    assert "chmod 600" in pki("verify", copy, "client-ca", code=1).stderr


def test_verify_finds_a_certificate_of_another_authority(authorities, tmp_path):
    other = tmp_path / "pki"
    pki("init", other)
    pki("issue", other, "heidi", "--client", "--role", "user")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", authorities, copy], check=True)
    for ending in ("pem", "key"):
        os.replace(other / f"heidi.{ending}", copy / f"heidi.{ending}")
    assert "does not vouch" in pki("verify", copy, "heidi", code=1).stderr


@pytest.mark.parametrize("arguments, code, words", [
    (["x"], 2, "--server or --client"),
    (["x", "--client"], 2, "--role"),
    (["x", "--server"], 2, "--host or --ip"),
    (["x", "--server", "--host", "a,DNS:b"], 2, "no host name"),
    (["x", "--server", "--host", "a\nb"], 2, "no host name"),
    (["x", "--server", "--ip", "300.1.1.1"], 2, "no address"), (["x", "--server", "--ip", "10.0.0"], 2, "no address"),
    (["x", "--server", "--ip", "node1"], 2, "no address"), (["x", "--server", "--ip", "fe80::g"], 2, "no address"),
    (["x", "--server", "--ip", "1:2"], 1, "bad ip address"),
    (["X", "--client", "--role", "user"], 2, "the name"),
    (["a\nb", "--client", "--role", "user"], 2, "the name"),
    (["../x", "--client", "--role", "user"], 2, "the name"),
    (["server-ca", "--client", "--role", "user"], 2, "authority's name"),
    (["x" * 64, "--client", "--role", "user"], 2, "the name"),
    (["x", "--client", "--role", "user/CN=admin"], 2, "the role"),
    (["x", "--client", "--role", "user", "--days", "0"], 2, "days"),
    (["x", "--client", "--role", "user", "--days", "4000"], 1, "fewer --days"),
    (["x", "--client", "--role", "user", "--key-type", "rsa1024"], 2, "key type"),
    (["x", "--client", "--role", "user", "--passphrase-file", "/dev/null"], 2, "--encrypt-key"),
    (["x", "--client", "--role", "user", "--encrypt-key"], 1, "terminal"),
    (["x", "--client", "--role", "user", "--encrypt-key", "--passphrase-file", "/dev/null"], 1, "empty"),
])
def test_issue_refuses_and_leaves_nothing(authorities, arguments, code, words):
    before = sorted(os.listdir(authorities))
    assert words in pki("issue", authorities, *arguments, code=code).stderr
    assert sorted(os.listdir(authorities)) == before


def test_issue_replaces_only_when_told_to(authorities):
    pki("issue", authorities, "ivan", "--client", "--role", "user")
    first = (authorities / "ivan.pem").read_bytes()
    assert "--force" in pki("issue", authorities, "ivan", "--client", "--role", "user", code=1).stderr
    assert (authorities / "ivan.pem").read_bytes() == first
    pki("issue", authorities, "ivan", "--client", "--role", "user", "--force")
    assert (authorities / "ivan.pem").read_bytes() != first


def test_init_never_replaces_an_authority(authorities):
    before = (authorities / "client-ca.key").read_bytes()
    assert "already holds" in pki("init", authorities, code=1).stderr
    assert (authorities / "client-ca.key").read_bytes() == before


def test_help_names_every_command_and_fits():
    text = pki("--help").stdout
    assert all(f"hoist-pki {command}" in text for command in ("init", "issue", "verify"))
    assert all(len(line) <= 120 for line in text.splitlines())
