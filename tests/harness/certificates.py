# SPDX-License-Identifier: Apache-2.0
"""Certificates as no decent authority issues them, signed by an agent's own client authority or by another one."""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def name_of(*pairs):
    """pairs of (oid, text); a text may be anything, also empty: nothing is checked here."""
    attributes = []
    for oid, text in pairs:
        attribute = x509.NameAttribute(oid, "x")
        attribute._value = text
        attributes.append(x509.RelativeDistinguishedName([attribute]))
    return x509.Name(attributes)


class Authority:
    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    @classmethod
    def of(cls, agent):
        """The client authority that the agent trusts."""
        with open(f"{agent.dir}/pki/client-ca.pem", "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        with open(f"{agent.dir}/pki/client-ca.key", "rb") as file:
            return cls(certificate, serialization.load_pem_private_key(file.read(), None))

    @classmethod
    def stranger(cls):
        """One that calls itself like no other and that nobody trusts."""
        key = ec.generate_private_key(ec.SECP384R1())
        name = name_of((CN, "stranger authority"))
        now = datetime.datetime.utcnow()
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                       .serial_number(1).not_valid_before(now - datetime.timedelta(1))
                       .not_valid_after(now + datetime.timedelta(1))
                       .add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA384()))
        return cls(certificate, key)

    def issue(self, subject, usages=(CLIENT,), valid=(-1, 1), is_ca=False, curve=ec.SECP384R1):
        """(certificate, key) in PEM; `valid` are days from now, `usages` () means no such extension."""
        key = ec.generate_private_key(curve())
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(name_of(*subject)).issuer_name(self.certificate.subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(valid[0]))
                   .not_valid_after(now + datetime.timedelta(valid[1]))
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        certificate = builder.sign(self.key, hashes.SHA384())
        return (certificate.public_bytes(serialization.Encoding.PEM),
                key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()))


def environment(agent, directory, certificate, key):
    """HOIST_… of a client with this certificate; the files go into `directory`."""
    values = agent.environment("alice")
    for variable, data in (("HOIST_CERT", certificate), ("HOIST_KEY", key)):
        values[variable] = f"{directory}/{variable}"
        with open(os.open(values[variable], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    return values
