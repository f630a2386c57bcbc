"""Stands before a server on loopback: TLS with an authority of its own, and a proxy that tells where it led to.

usage: tls_proxy.py PORT FOLDER
Writes the authority's certificate to FOLDER/ca.pem, prints the port of TLS and the port of the proxy, then serves. Each
`CONNECT` is a line in FOLDER/connects. Ends with its standard input.
"""
import asyncio
import os
import pathlib
import ssl
import sys

import trustme

behind, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def join(reader, writer, port):
    onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(pump(reader, onward_writer), pump(onward_reader, writer))


async def terminate(reader, writer):
    await join(reader, writer, behind)


async def connect(reader, writer):
    asked = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0]
    with open(folder / "connects", "a") as connects:
        connects.write(asked + "\n")
    method, address, _ = asked.split(" ")
    if method != "CONNECT" or not address.startswith("127.0.0.1:"):
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await join(reader, writer, int(address.split(":")[1]))


async def main():
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    tls = await asyncio.start_server(terminate, "127.0.0.1", 0, ssl=context)
    proxy = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(*(server.sockets[0].getsockname()[1] for server in (tls, proxy)), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # Connections that are still open are not waited for.
    os._exit(0)


asyncio.run(main())
