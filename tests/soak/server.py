"""The servers: one answer per connection, on an expected and an unexpected port.

    server.py ADDRESS CERTIFICATE KEY PORT...
"""

import asyncio
import ssl
import sys
import warnings


async def answer(reader, writer):
    try:
        await asyncio.wait_for(reader.readline(), 20)
        writer.write(b"gnip\n")
        await writer.drain()
    except (OSError, asyncio.TimeoutError):
        pass
    finally:
        writer.close()


async def main():
    address, certificate, key, *ports = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Old versions are the point.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(certificate, key)
    for port in ports:
        await asyncio.start_server(answer, address, int(port), ssl=context, backlog=1000)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
