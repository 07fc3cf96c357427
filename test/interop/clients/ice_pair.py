#!/usr/bin/python3
"""Two aioice agents in one process that may use relayed candidates only.

ice_pair.py HOST PORT USER PASSWORD udp|tcp|tls

Sends messages both ways, then prints one JSON object: {"echoed": n, "of": n,
"pairs": [[local, remote], ...]} with the selected candidates' types and addresses.
Exit code 0 when ICE connected and every message came back.
"""
import asyncio
import json
import sys

import aioice
from aioice.ice import TransportPolicy

MESSAGES = 50
TIMEOUT_SECONDS = 20


def agent(controlling):
    host, port, user, password, transport = sys.argv[1:6]
    return aioice.Connection(
        ice_controlling=controlling,
        turn_server=(host, int(port)),
        turn_username=user,
        turn_password=password,
        turn_transport="udp" if transport == "udp" else "tcp",
        turn_ssl=transport == "tls",
        use_ipv6=False,
        transport_policy=TransportPolicy.RELAY,
    )


async def introduce(one, other):
    one.remote_username, one.remote_password = other.local_username, other.local_password
    for candidate in other.local_candidates:
        await one.add_remote_candidate(candidate)
    await one.add_remote_candidate(None)


async def echo(answerer):
    for _ in range(MESSAGES):
        await answerer.send(b"pong" + (await answerer.recv())[4:])


async def main():
    offerer, answerer = agent(True), agent(False)
    await asyncio.gather(offerer.gather_candidates(), answerer.gather_candidates())
    await introduce(offerer, answerer)
    await introduce(answerer, offerer)
    await asyncio.gather(offerer.connect(), answerer.connect())
    echoing = asyncio.ensure_future(echo(answerer))
    echoed = 0
    for number in range(MESSAGES):
        body = b" %d " % number + bytes(1000)
        await offerer.send(b"ping" + body)
        echoed += await offerer.recv() == b"pong" + body
    await echoing
    pairs = []
    for connection in (offerer, answerer):
        selected = connection._nominated[1]
        pairs.append([
            {"type": c.type, "host": c.host, "port": c.port}
            for c in (selected.local_candidate, selected.remote_candidate)
        ])
    await asyncio.gather(offerer.close(), answerer.close())
    print(json.dumps({"echoed": echoed, "of": MESSAGES, "pairs": pairs}))
    return 0 if echoed == MESSAGES else 1


sys.exit(asyncio.run(asyncio.wait_for(main(), TIMEOUT_SECONDS)))
