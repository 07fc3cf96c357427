#!/bin/bash
# The Debian packages of the interop suite: tells which are missing and installs
# exactly those. Needs root only when something is missing.
#   exit 0: everything is there;  1: an installation failed;  2: cannot install here
set -euo pipefail

# coturn: turnutils_uclient, turnutils_peer, turnserver.  libnss3-tools: certutil, by which
# Chromium trusts the suite's own certificate authority.  nftables, conntrack and iproute2:
# the NATs of the lab.  kamailio, baresip-core and linphone-cli: the SIP proxy and the phones of
# whole calls.  rtpengine-daemon: another media plane of the lab.  tcpdump and wireshark-common
# (dumpcap): captures.  python3-pylibsrtp: libsrtp, an independent SRTP.  collectd-core: the
# receiver of metrics.  systemd: systemd-analyze, which judges the unit and need not be running
# for it, and libseccomp.
packages=(
  coturn python3-aioice chromium libnss3-tools openssl
  nftables conntrack iproute2
  kamailio baresip-core linphone-cli rtpengine-daemon
  tcpdump wireshark-common python3-pylibsrtp collectd-core systemd
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

cannot() {
  echo "interop: $1. Install these Debian packages, then run again: ${missing[*]}" >&2
  exit 2
}
command -v apt-get >/dev/null || cannot 'the real peers come from Debian packages, and there is no apt-get here'
[ "$(id -u)" = 0 ] || cannot 'packages are missing, and only root can install them'

# Debian starts freshly installed services: coturn would hold port 3478, rtpengine that of ng.
# policy-rc.d is Debian's own way to say no; a policy that is already there stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi

echo "interop: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# `update` warns and succeeds where one list cannot be had; `install` is what decides.
apt-get update -qq </dev/null || true
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null || {
  echo "interop: apt-get could not install ${missing[*]}" >&2
  exit 1
}
