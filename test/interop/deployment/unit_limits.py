#!/usr/bin/python3
"""Runs a command under what a systemd unit says of system calls, socket families and open files.

unit_limits.py UNIT COMMAND [ARGUMENT ...]

As systemd does it: SystemCallFilter= and RestrictAddressFamilies= by seccomp (what is not allowed fails with
SystemCallErrorNumber= or EAFNOSUPPORT), LimitNOFILE= by setrlimit, as far as this host lets. The caller has set no-new-privs or is root.
"""
import ctypes
import errno
import os
import resource
import socket
import subprocess
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
COMPARE_EQUAL = 4

seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


seccomp.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]


def settings(path):
    with open(path) as file:
        lines = [line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#")]
    return {key: value for key, value in lines}


def members(group):
    """The system calls of a group such as @system-service, groups in it resolved."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True).stdout
    words = [line.strip() for line in listed.splitlines()[1:]]
    names = set()
    for word in words:
        if word.startswith("@"):
            names |= members(word)
        elif word and not word.startswith("#"):
            names.add(word)
    return names


def add(context, action, name, *comparisons):
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return  # of another architecture
    array = (Comparison * len(comparisons))(*comparisons)
    failed = seccomp.seccomp_rule_add_array(context, action, number, len(comparisons), array)
    if failed:
        sys.exit("seccomp rule for %s: %s" % (name, os.strerror(-failed)))


def load(context):
    failed = seccomp.seccomp_load(context)
    if failed:
        sys.exit("seccomp: %s" % os.strerror(-failed))


def main():
    unit, command = settings(sys.argv[1]), sys.argv[2:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = min(int(unit["LimitNOFILE"]), hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    names = set().union(*(members(group) for group in unit["SystemCallFilter"].split()))
    calls = seccomp.seccomp_init(ERRNO | getattr(errno, unit["SystemCallErrorNumber"]))
    for name in names:
        add(calls, ALLOW, name)
    families = seccomp.seccomp_init(ALLOW)
    allowed = {int(getattr(socket, name)) for name in unit["RestrictAddressFamilies"].split()}
    for family in set(range(64)) - allowed:
        add(families, ERRNO | errno.EAFNOSUPPORT, "socket", Comparison(0, COMPARE_EQUAL, family, 0))
    load(families)
    load(calls)
    os.execvp(command[0], command)


main()
