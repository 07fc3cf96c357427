#!/usr/bin/python3
"""libsrtp protects and unprotects what it is given.

libsrtp_oracle.py INPUT OUTPUT

INPUT: JSON, {"suite": name, "keys": [{"key": hex, "mki": hex}, ...],
"protect": [packet, ...], "unprotect": [packet, ...]}, where a packet is
{"rtcp": bool, "hex": hex, "key": index}. "key" is master key and salt. With an
empty MKI there is one key and packets carry none.

OUTPUT: JSON, {"protected": [hex or null, ...], "unprotected": [hex or null, ...]};
null where libsrtp refused the packet. One session protects, another unprotects.
"""
import ctypes
import json
import sys

from pylibsrtp import Error, Policy, Session, ffi

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
# libsrtp has these, but pylibsrtp has no profile for them: what libsrtp's own
# functions set for RTP, and for RTCP, whose tag always has 80 bits.
SETTERS = {
    "AES_192_CM_HMAC_SHA1_80": ("aes_cm_192_hmac_sha1_80", "aes_cm_192_hmac_sha1_80"),
    "AES_192_CM_HMAC_SHA1_32": ("aes_cm_192_hmac_sha1_32", "aes_cm_192_hmac_sha1_80"),
    "AES_256_CM_HMAC_SHA1_80": ("aes_cm_256_hmac_sha1_80", "aes_cm_256_hmac_sha1_80"),
    "AES_256_CM_HMAC_SHA1_32": ("aes_cm_256_hmac_sha1_32", "aes_cm_256_hmac_sha1_80"),
}
# srtp_policy_t of libsrtp 2, on machines of 64 bits: keys, num_master_keys.
POLICY_BYTES, KEYS_OFFSET, KEY_COUNT_OFFSET = 128, 64, 72
PACKET_BYTES_MAX = 1500

libsrtp = ctypes.CDLL("libsrtp2.so.1")


class MasterKey(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("mki", ctypes.c_char_p), ("mki_size", ctypes.c_uint)]


def address(cdata):
    return ctypes.c_void_p(int(ffi.cast("uintptr_t", cdata)))


def make_session(suite, keys, ssrc_type):
    profile = PROFILES.get(suite, Policy.SRTP_PROFILE_AES128_CM_SHA1_80)
    policy = Policy(key=keys[0][0], ssrc_type=ssrc_type, srtp_profile=profile)
    if suite in SETTERS:
        for part, name in zip((policy._policy.rtp, policy._policy.rtcp), SETTERS[suite]):
            getattr(libsrtp, "srtp_crypto_policy_set_" + name)(address(ffi.addressof(part)))
    kept = []
    if keys[0][1]:
        assert ffi.sizeof("srtp_policy_t") == POLICY_BYTES
        kept = [MasterKey(key, mki, len(mki)) for key, mki in keys]
        pointers = (ctypes.POINTER(MasterKey) * len(kept))(*map(ctypes.pointer, kept))
        kept.append(pointers)
        base = address(policy._policy).value
        policy._policy.key = ffi.NULL  # or libsrtp takes it for the only one
        ctypes.c_void_p.from_address(base + KEYS_OFFSET).value = ctypes.addressof(pointers)
        ctypes.c_ulong.from_address(base + KEY_COUNT_OFFSET).value = len(keys)
    session = Session(policy=policy)
    session.kept = kept
    return session


def plainly(function, packet):
    try:
        return function(packet).hex()
    except Error:
        return None


def with_mki(function, session, packet, *more):
    buffer = ctypes.create_string_buffer(packet, PACKET_BYTES_MAX)
    length = ctypes.c_int(len(packet))
    failed = function(address(session._srtp[0]), buffer, ctypes.byref(length), 1, *more)
    return None if failed else buffer.raw[: length.value].hex()


def protect(session, has_mki, packet):
    data, rtcp = bytes.fromhex(packet["hex"]), packet["rtcp"]
    if not has_mki:
        return plainly(session.protect_rtcp if rtcp else session.protect, data)
    function = libsrtp.srtp_protect_rtcp_mki if rtcp else libsrtp.srtp_protect_mki
    return with_mki(function, session, data, packet["key"])


def unprotect(session, has_mki, packet):
    data, rtcp = bytes.fromhex(packet["hex"]), packet["rtcp"]
    if not has_mki:
        return plainly(session.unprotect_rtcp if rtcp else session.unprotect, data)
    function = libsrtp.srtp_unprotect_rtcp_mki if rtcp else libsrtp.srtp_unprotect_mki
    return with_mki(function, session, data)


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    keys = [(bytes.fromhex(k["key"]), bytes.fromhex(k["mki"])) for k in task["keys"]]
    has_mki = keys[0][1] != b""
    sender = make_session(task["suite"], keys, Policy.SSRC_ANY_OUTBOUND)
    receiver = make_session(task["suite"], keys, Policy.SSRC_ANY_INBOUND)
    result = {
        "protected": [protect(sender, has_mki, packet) for packet in task["protect"]],
        "unprotected": [unprotect(receiver, has_mki, packet) for packet in task["unprotect"]],
    }
    with open(sys.argv[2], "w") as file:
        json.dump(result, file)


main()
