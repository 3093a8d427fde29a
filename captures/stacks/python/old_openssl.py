"""A client or a server of an OpenSSL of long ago, whose library is called directly.

    old_openssl.py LIBSSL client ADDRESS PORT METHOD CIPHERS [name=NAME] [twice]
    old_openssl.py LIBSSL server ADDRESS PORT METHOD CIPHERS certificate=FILE key=FILE [dh=FILE] [rsa=BITS]

METHOD is SSLv2, SSLv3, SSLv23, TLSv1 or TLSv1_2. The client prints what the library says of each handshake, as JSON, the
second of which takes up the session of the first; the server answers each line with a line. Numbers are those of ssl.h.
"""

import ctypes
import json
import socket
import sys
from ctypes import c_char_p, c_int, c_long, c_void_p
from pathlib import Path

PEM = 1
SET_TMP_RSA, SET_TMP_DH, GET_SESSION_REUSED, SET_HOST_NAME = 2, 3, 8, 55
FOREVER = 65537

POINTERS = {"SSL_CTX_new", "SSL_new", "SSL_get_current_cipher", "SSL_get_current_compression", "SSL_get1_session", "RSA_generate_key",
            "BIO_new_file", "PEM_read_bio_DHparams"}
TEXTS = {"SSL_CIPHER_get_name", "SSL_get_version", "SSL_COMP_get_name", "SSLeay_version"}


class Library:
    """The functions of libssl; it finds the others beside it."""

    def __init__(self, path):
        # Its own libcrypto first: the system's has the same names.
        crypto = next(path.parent.glob("libcrypto*"))
        self.parts = [ctypes.CDLL(str(path)), ctypes.CDLL(str(crypto))]
        self.SSL_library_init()
        self.SSL_load_error_strings()

    def __getattr__(self, name):
        function = next(getattr(part, name) for part in self.parts if hasattr(part, name))
        function.restype = c_void_p if name in POINTERS or name.endswith("_method") else c_char_p if name in TEXTS else c_int
        return function

    def reason(self):
        buffer = ctypes.create_string_buffer(256)
        self.ERR_error_string_n.argtypes = [ctypes.c_ulong, c_char_p, ctypes.c_size_t]
        self.parts[1].ERR_get_error.restype = ctypes.c_ulong
        self.parts[1].ERR_error_string_n(ctypes.c_ulong(self.parts[1].ERR_get_error()), buffer, ctypes.c_size_t(256))
        return buffer.value.decode()

    def must(self, result, what):
        if not result or result < 0:
            sys.exit(f"{what}: {self.reason()}")
        return result


def context(library, role, method, ciphers):
    made = library.must(library.SSL_CTX_new(c_void_p(getattr(library, f"{method}_{role}_method")())), "context")
    library.must(library.SSL_CTX_set_cipher_list(c_void_p(made), ciphers.encode()), ciphers)
    return c_void_p(made)


def connection(library, made, descriptor):
    ssl = c_void_p(library.must(library.SSL_new(made), "connection"))
    library.SSL_set_fd(ssl, descriptor)
    return ssl


def client(library, address, port, method, ciphers, options):
    made = context(library, "client", method, ciphers)
    session = None
    for _ in range(2 if "twice" in options else 1):
        with socket.create_connection((address, port), timeout=10) as plain:
            plain.settimeout(None)
            ssl = connection(library, made, plain.fileno())
            if "name" in options:
                library.SSL_ctrl(ssl, c_int(SET_HOST_NAME), c_long(0), options["name"].encode())
            if session:
                library.SSL_set_session(ssl, c_void_p(session))
            library.must(library.SSL_connect(ssl), "handshake")
            library.SSL_write(ssl, b"ping\n", 5)
            buffer = ctypes.create_string_buffer(64)
            library.must(library.SSL_read(ssl, buffer, 64), "answer")
            session = library.SSL_get1_session(ssl)
            compression = library.SSL_get_current_compression(ssl)
            print(json.dumps({
                "port": plain.getsockname()[1],
                "version": library.SSL_get_version(ssl).decode(),
                "openssl_cipher": library.SSL_CIPHER_get_name(c_void_p(library.SSL_get_current_cipher(ssl))).decode(),
                "compression": library.SSL_COMP_get_name(c_void_p(compression)).decode() if compression else None,
                "resumed": bool(library.SSL_ctrl(ssl, c_int(GET_SESSION_REUSED), c_long(0), None)),
                "library": library.SSLeay_version(0).decode(),
            }), flush=True)
            library.SSL_shutdown(ssl)


def server(library, address, port, method, ciphers, options):
    made = context(library, "server", method, ciphers)
    library.must(library.SSL_CTX_use_certificate_file(made, options["certificate"].encode(), PEM), "certificate")
    library.must(library.SSL_CTX_use_PrivateKey_file(made, options["key"].encode(), PEM), "key")
    if "rsa" in options:
        key = library.RSA_generate_key(int(options["rsa"]), ctypes.c_ulong(FOREVER), None, None)
        library.must(library.SSL_CTX_ctrl(made, SET_TMP_RSA, c_long(0), c_void_p(key)), "short key")
    if "dh" in options:
        file = c_void_p(library.must(library.BIO_new_file(options["dh"].encode(), b"r"), "parameters"))
        parameters = library.must(library.PEM_read_bio_DHparams(file, None, None, None), "parameters")
        library.must(library.SSL_CTX_ctrl(made, SET_TMP_DH, c_long(0), c_void_p(parameters)), "parameters")
    with socket.create_server((address, port)) as listener:
        while True:
            plain, _ = listener.accept()
            with plain:
                ssl = connection(library, made, plain.fileno())
                buffer = ctypes.create_string_buffer(64)
                if library.SSL_accept(ssl) == 1 and library.SSL_read(ssl, buffer, 64) > 0:
                    library.SSL_write(ssl, b"pong\n", 5)
                    library.SSL_read(ssl, buffer, 64)
                    library.SSL_shutdown(ssl)


def main():
    path, role, address, port, method, ciphers, *rest = sys.argv[1:]
    work = {"client": client, "server": server}[role]
    work(Library(Path(path)), address, int(port), method, ciphers, dict((option + "=").split("=")[:2] for option in rest))


if __name__ == "__main__":
    main()
