"""TLS of the status endpoint: TLS 1.3, and both ends show a certificate of one authority."""

import ssl

from felixbgp.runtime.settings import TlsFiles


def server_context(tls: TlsFiles) -> ssl.SSLContext:
    """Of an agent: whoever has no certificate of the authority does not get past the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _with_files(context, tls)


def client_context(tls: TlsFiles) -> ssl.SSLContext:
    """Of who asks; the agent's certificate must be for the name that is given with the connection."""
    return _with_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)


def _with_files(context: ssl.SSLContext, tls: TlsFiles) -> ssl.SSLContext:
    # Both ends are ours, or as new.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(tls.cert_file, tls.key_file)
    context.load_verify_locations(tls.ca_file)
    return context
