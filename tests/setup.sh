#!/bin/sh
# Installs the programs that the tests run against, if they are missing. Prints nothing if there is nothing to do.
set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# Debian packages that are missing. Without those in the second list, a few tests skip some of their cases.
required=
optional=

require() {
    command -v "$1" >/dev/null || required="$required $2"
}

require cc gcc
require git git
require make make
require sshd openssh-server
require ssh-keygen openssh-client
require sudo sudo
require ip iproute2
require getent libc-bin
require script bsdutils
require unshare util-linux
require setpriv util-linux
require hostname hostname
require useradd passwd
require gzip gzip
require doas opendoas
require bzip2 bzip2
require xz xz-utils
require openssl openssl
require keytool default-jre-headless
require zip zip
require zstd zstd
command -v busybox >/dev/null || optional="$optional busybox"
[ -x /lib/systemd/systemd ] || optional="$optional systemd"

# The agent is linked statically. A compiler without libc.a prints the bare name.
if command -v cc >/dev/null && [ "$(cc -print-file-name=libc.a)" = libc.a ]; then
    required="$required libc6-dev"
fi

[ -n "$required$optional" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
fi

# On a machine that runs systemd, Debian's openssh-server would start an SSH server that listens on the network: the user
# has to decide that.
may_install() {
    command -v apt-get >/dev/null || return 1
    $as_root true 2>/dev/null || return 1
    [ "${CI:-}" = true ] || [ ! -d /run/systemd/system ]
}

install() {
    # shellcheck disable=SC2086 # several words each
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $1 </dev/null >"$log" 2>&1
}

if may_install; then
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    echo "tests/setup.sh: installing$required$optional"
    # Package lists are often empty in a container. Updating them takes longer than installing, so try without first.
    if install "$required $optional"; then
        exit 0
    fi
    $as_root apt-get update -qq </dev/null >"$log" 2>&1 || true
    if install "$required $optional" || { [ -n "$required" ] && install "$required"; }; then
        exit 0
    fi
    cat "$log" >&2
fi

if [ -n "$required" ]; then
    cat >&2 <<EOF
tests/setup.sh: cannot install programs that the tests need, in Debian's packages:$required
Install them yourself, on Debian with: sudo apt-get install$required$optional
EOF
    exit 1
fi
echo "tests/setup.sh: continuing without$optional; a few tests skip some of their cases" >&2
