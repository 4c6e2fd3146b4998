"""TLS: a certificate that is checked before anything starts, and read again when it was renewed."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from openhearth.errors import HearthError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tls:
    """A certificate, with those between it and its authority after it, and its key, as PEM files
    without a password.
    """

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What a server speaks TLS by, 1.2 or newer. Files that are renewed count from the next
        connection on; as long as they cannot be used, those before do.

        Raises:
            HearthError: they cannot be read, or do not belong together.
        """
        context = self._read()
        context.sni_callback = _Newest(self, context)
        return context

    def name_for(self, host: str) -> str:
        """By which name a server at `host` is called so that clients believe it: by `host` if the
        certificate is for it, else by the first name that the certificate is for.

        Raises:
            HearthError: as `context` does, or the certificate is not valid now.
        """
        names = self._names()
        if any(fnmatchcase(host, name) for name in names):
            return host
        return next((name for name in names if "*" not in name), host)

    def stamp(self) -> list[tuple[int, int]]:
        """What changes whenever the files do; nothing while one is missing."""
        with suppress(OSError):
            files = (self.certificate.stat(), self.key.stat())
            return [(file.st_ino, file.st_mtime_ns) for file in files]
        return []

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # Without a password OpenSSL would ask for one, and wait.
            context.load_cert_chain(self.certificate, self.key, password="")
        except OSError as error:  # of which SSLError is one
            raise self._unusable(error) from error
        return context

    def _names(self) -> list[str]:
        """What the certificate is for, as a client finds it that trusts the certificate."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False  # the name is what is asked for
        trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever has signed it
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self._read().wrap_bio(up, down, server_side=True)
        try:
            trusting.load_verify_locations(self.certificate)
            client = trusting.wrap_bio(down, up)
            for side in (client, server, client):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        except OSError as error:
            raise self._unusable(error) from error
        found: Any = client.getpeercert()
        return [
            str(ip_address(name)) if kind == "IP Address" else name
            for kind, name in found.get("subjectAltName", ())
            if kind in ("DNS", "IP Address")
        ]

    def _unusable(self, error: OSError) -> HearthError:
        return HearthError(
            f"The certificate {self.certificate} with the key {self.key} cannot be used ({error}): "
            "give PEM files that belong together, are valid now, and have no password."
        )


class _Newest:
    """Gives each connection the files as they are now."""

    def __init__(self, tls: Tls, context: ssl.SSLContext) -> None:
        self._tls = tls
        self._context = context
        self._stamp = tls.stamp()

    def __call__(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, first: ssl.SSLContext
    ) -> None:
        if (stamp := self._tls.stamp()) != self._stamp:
            self._stamp = stamp
            try:
                self._context = self._tls._read()
            except HearthError as error:
                log.error("%s", error)
        connection.context = self._context
