#!/usr/bin/python3
"""The `ng` control protocol, as JSON over UDP: ng.py ADDRESS:PORT DICTIONARY

DICTIONARY is the command as JSON; the reply is printed as JSON. Exit code 0 when a reply came.
"""
import json
import os
import socket
import sys

REPLY_SECONDS = 2
TRIES = 4


class Engine:
    """A media engine at the address of its ng socket."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(REPLY_SECONDS)

    def ask(self, dictionary):
        """The reply to a command. A repeat keeps its cookie, so that the engine does it once."""
        cookie = os.urandom(8).hex().encode()
        message = cookie + b" " + json.dumps(dictionary).encode()
        for _ in range(TRIES):
            self.socket.sendto(message, self.address)
            try:
                while True:
                    reply = self.socket.recv(65535)
                    if reply.startswith(cookie + b" "):
                        return json.loads(reply[len(cookie) + 1:])
            except (TimeoutError, ConnectionRefusedError):
                continue
        raise SystemExit("no reply from %s:%d" % self.address)


if __name__ == "__main__":
    print(json.dumps(Engine(sys.argv[1]).ask(json.loads(sys.argv[2]))))
