#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# See to it that the distribution packages which Braid is built with are there:
#
#     setup.sh build|check|picture...
#
# Names what is missing and installs that, and only that, with APT as root or through sudo. Where
# everything is there already it says nothing and takes some 20 ms, so make calls it every time.
set -eu

packages=
for purpose; do
    case $purpose in
    build)
        packages="$packages gcc libc6-dev gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross
            picolibc-aarch64-linux-gnu pkg-config libxml2-dev libelf-dev libfdt-dev libyaml-dev
            qemu-system-arm python3 python3-pexpect e2fsprogs"
        ;;
    check) packages="$packages libcmocka-dev python3-pytest device-tree-compiler clang
            libclang-rt-dev libc6-dev-arm64-cross graphviz" ;;
    picture) packages="$packages graphviz" ;;
    *)
        echo "setup: no set of packages is called '$purpose'" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Not Debian or a relative of it. What is missing will be missed by name.
    exit 0
fi

there=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
missing=
for package in $packages; do
    case "
$there
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "These packages of the distribution are missing:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=sudo
    else
        echo "This user cannot install them. As root:" >&2
        echo "    apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi
echo "Installing them with APT${as_root:+, through sudo}."

install() {
    # shellcheck disable=SC2086 # a list
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=0 -o Acquire::Retries=3 "$@" </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A mirror that has moved on since the last update has other versions than the lists say.
install update >"$log" 2>&1 || true
# shellcheck disable=SC2086 # a list
{ install install $missing 2>&1 && echo "All are set up."; } | tee "$log" |
    sed -u -n 's/^Get:.* \([^ ]*\) [^ ]* [^ ]* \[\(.*\)\]$/  fetch   \1 (\2)/p
               s/^Setting up \([^ ]*\).*/  set up  \1/p'
if ! tail -n 1 "$log" | grep -q '^All are set up'; then
    cat "$log" >&2
    echo "APT could not install:$missing" >&2
    exit 1
fi
