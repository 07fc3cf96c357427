#!/usr/bin/python3
"""A long SRTP stream through a media engine: srtp_rollover.py NG CALLER CALLEE SUITE

Plays both ends of a call: the caller with SDES at address CALLER, the callee at address CALLEE with
SUITE, or plain RTP where it is "RTP". Sends packets made by libsrtp both ways until the sequence
numbers have rolled over, then goes through re-INVITEs and a changed SSRC; libsrtp's sessions live as
long as the call, so that all of it fails when the engine forgets a rollover counter. Prints one JSON
object: {"packets": received both ways, "kept": what each step left as it was}.
"""
import base64
import json
import os
import re
import socket
import struct
import sys

import pylibsrtp

from ng import Engine
from open_srtp import session

CALLER_SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY_BYTES = {"AES_CM_128_HMAC_SHA1_80": 30, "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44}

# Sequence numbers begin late, so that the first rollover comes early and is not the only one.
FIRST_SEQUENCE = 65_000
ROLLOVER_PACKETS = 67_000
STEP_PACKETS = 300
WINDOW = 32
RECEIVE_SECONDS = 3


class End:
    """One end of the call: socket, keys, and one stream sent at a time."""

    def __init__(self, address, suite, tag):
        self.address, self.suite, self.tag = address, suite, tag
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.settimeout(RECEIVE_SECONDS)
        self.port = self.socket.getsockname()[1]
        self.version = 0
        self.streams = {}
        self.ssrc = int.from_bytes(os.urandom(4), "big")
        self.sender = self.receiver = self.remote = self.line = None
        if suite != "RTP":
            self.key = os.urandom(KEY_BYTES[suite])
            self.sender = session(suite, self.key, "ANY_OUTBOUND")

    def describe(self, direction, crypto_tag):
        self.version += 1
        lines = [
            "v=0",
            "o=- 1 %d IN IP4 %s" % (self.version, self.address),
            "s=-",
            "c=IN IP4 " + self.address,
            "t=0 0",
            "m=audio %d %s 0" % (self.port, "RTP/AVP" if self.suite == "RTP" else "RTP/SAVP"),
            "a=" + direction,
        ]
        if self.suite != "RTP":
            key = base64.b64encode(self.key).decode()
            lines.append("a=crypto:%s %s inline:%s" % (crypto_tag, self.suite, key))
        return "".join(line + "\r\n" for line in lines)

    def learn(self, sdp):
        """Takes the engine's side from its description; gives the tag of the a=crypto line it goes by."""
        host = re.search(r"^c=IN IP4 (\S+)", sdp, re.M).group(1)
        port = int(re.search(r"^m=audio (\d+) ", sdp, re.M).group(1))
        tag, key = "1", None
        if self.suite != "RTP":
            found = re.search(r"^a=crypto:(\d+) %s inline:([^|\s]+)" % self.suite, sdp, re.M)
            if not found:
                sys.exit("%s is not in\n%s" % (self.suite, sdp))
            tag, key = found.groups()
        if self.line is None:
            self.remote, self.line = (host, port), (host, port, key)
            if key is not None:
                self.receiver = session(self.suite, base64.b64decode(key), "ANY_INBOUND")
        elif self.line != (host, port, key):
            sys.exit("a re-INVITE changed the engine's side of %s: port %d, was %d; key %s"
                     % (self.tag, port, self.line[1], "kept" if key == self.line[2] else "changed"))
        return tag

    def send(self):
        sequence = self.streams.get(self.ssrc, FIRST_SEQUENCE)
        self.streams[self.ssrc] = sequence + 1
        header = struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, self.ssrc)
        packet = header + struct.pack("!I", sequence) * 40
        self.socket.sendto(self.sender.protect(packet) if self.sender else packet, self.remote)
        return packet

    def receive(self):
        while True:
            data = self.socket.recv(2048)
            if 192 <= data[1] <= 223:  # RTCP of the engine's own
                continue
            return self.receiver.unprotect(data) if self.receiver else data


class Call:
    def __init__(self, engine, caller, callee):
        self.engine, self.caller, self.callee = engine, caller, callee
        self.call_id = os.urandom(8).hex()
        self.packets = 0

    def ask(self, command, **keys):
        reply = self.engine.ask({"command": command, "call-id": self.call_id, **keys})
        if reply.get("result") != "ok":
            sys.exit("%s: %s" % (command, reply))
        return reply.get("sdp")

    def negotiate(self, offerer, answerer, directions=("sendrecv", "sendrecv")):
        zones = ["external", "internal"] if offerer is self.caller else ["internal", "external"]
        common = {"ICE": "remove", "replace": ["origin", "session-connection"]}
        crypto_tag = answerer.learn(self.ask(
            "offer", sdp=offerer.describe(directions[0], 1), direction=zones, DTLS="off", SDES=["pad"],
            **{"from-tag": offerer.tag, **({"to-tag": answerer.tag} if self.packets else {}),
               "transport-protocol": "RTP/AVP" if answerer.suite == "RTP" else "RTP/SAVP"}, **common))
        offerer.learn(self.ask(
            "answer", sdp=answerer.describe(directions[1], crypto_tag),
            **{"from-tag": offerer.tag, "to-tag": answerer.tag}, **common))

    def talk(self, count, step):
        """Both ends send `count` packets, a window at a time; every one must arrive as it was."""
        pairs = ((self.caller, self.callee), (self.callee, self.caller))
        for begin in range(0, count, WINDOW):
            sent = [[one.send() for _ in range(min(WINDOW, count - begin))] for one, _ in pairs]
            for (one, other), packets in zip(pairs, sent):
                try:
                    got = {other.receive() for _ in packets}
                except TimeoutError:
                    sys.exit("%s: no more packets of %s after %d" % (step, one.tag, self.packets))
                except pylibsrtp.Error as error:
                    sys.exit("%s: libsrtp refuses packets of %s after %d: %s"
                             % (step, one.tag, self.packets, error))
                if got != set(packets):
                    sys.exit("%s: packets of %s arrived changed after %d" % (step, one.tag, self.packets))
                self.packets += len(packets)


def main():
    ng, caller_address, callee_address, suite = sys.argv[1:5]
    caller, callee = End(caller_address, CALLER_SUITE, "caller"), End(callee_address, suite, "callee")
    call = Call(Engine(ng), caller, callee)
    kept = []

    def step(name):
        call.talk(STEP_PACKETS, name)
        kept.append(name)

    call.negotiate(caller, callee)
    call.talk(ROLLOVER_PACKETS, "rollover")
    call.negotiate(caller, callee)
    step("re-INVITE by the caller")
    call.negotiate(callee, caller)
    step("re-INVITE by the callee")
    call.negotiate(caller, callee, ("sendonly", "recvonly"))
    call.negotiate(caller, callee)
    step("hold and resume")
    first = caller.ssrc, callee.ssrc
    caller.ssrc, callee.ssrc = first[0] ^ 1, first[1] ^ 1
    step("another SSRC")
    caller.ssrc, callee.ssrc = first
    step("the first SSRC again")
    call.ask("delete", **{"from-tag": caller.tag})
    print(json.dumps({"packets": call.packets, "kept": kept}))


if __name__ == "__main__":
    main()
