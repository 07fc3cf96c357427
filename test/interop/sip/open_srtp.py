#!/usr/bin/python3
"""SRTP packets opened by libsrtp: open_srtp.py <REQUEST

REQUEST is JSON: {"suite": name, "key": master key and salt in base64, "packets": [base64, …]}, all of
one direction, in the order they came. Prints {"packets": [base64, …]}: the same as RTP. Exit code 1
when libsrtp refuses one.
"""
import base64
import json
import sys

import pylibsrtp

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


def session(suite, key, direction):
    """A libsrtp session for all SSRCs of a direction, ANY_INBOUND or ANY_OUTBOUND."""
    policy = pylibsrtp.Policy(
        key=key,
        ssrc_type=getattr(pylibsrtp.Policy, "SSRC_" + direction),
        srtp_profile=PROFILES[suite],
    )
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


def main():
    request = json.load(sys.stdin)
    receiver = session(request["suite"], base64.b64decode(request["key"]), "ANY_INBOUND")
    opened = []
    for number, packet in enumerate(request["packets"]):
        try:
            opened.append(receiver.unprotect(base64.b64decode(packet)))
        except pylibsrtp.Error as error:
            sys.exit("packet %d of %d: %s" % (number, len(request["packets"]), error))
    print(json.dumps({"packets": [base64.b64encode(packet).decode() for packet in opened]}))


if __name__ == "__main__":
    main()
