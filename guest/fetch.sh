#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Fetch the guests' arm64 packages from the distribution and unpack them:
#
#     fetch.sh DIRECTORY PACKAGE...
#
# It leaves DIRECTORY/root, with the files of these packages and of those that have the libraries which
# their programs need, and DIRECTORY/packages.txt, with the packages' versions. APT runs with a state, a
# cache and a list of installed packages of its own, all under DIRECTORY. It reads the system's sources,
# keys, pins and proxies, and changes nothing there. No privileges are needed. PYTHON is the interpreter.
set -eu

directory=$1
shift
case $directory in /*) ;; *) directory=$PWD/$directory ;; esac
apt=$directory/apt
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
# shellcheck source=guest/apt.sh
. "$here/apt.sh"

fail() {
    echo "guest: $*" >&2
    echo "guest: LINUX=/path/to/Image INITRD=/path/to/initramfs use your own files instead" >&2
    exit 1
}

{ command -v apt-get && command -v dpkg-deb; } >/dev/null ||
    fail "no apt-get or dpkg-deb here to fetch the guests' packages with"

rm -rf "$directory/root" "$directory/root.new" "$apt/new"
mkdir -p "$apt/new" "$directory/root.new"
: >"$apt/owners"
: >"$apt/versions"

use_apt "$apt" arm64

# Fetch packages and unpack them into one tree. Record for each file which package it is from.
unpack() {
    echo "  APT     $*"
    (cd "$apt/new" && apt-get -q download "$@" >>"$apt/log" 2>&1) || {
        tail -n 5 "$apt/log" >&2
        fail "the packages could not be fetched"
    }
    for deb in "$apt"/new/*.deb; do
        name=$(dpkg-deb -f "$deb" Package)
        dpkg-deb -x "$deb" "$directory/root.new"
        dpkg-deb --fsys-tarfile "$deb" | tar -t | sed "s,^\./,,; s,\$, $name," >>"$apt/owners"
        # shellcheck disable=SC2016 # for dpkg-deb to fill in
        dpkg-deb -W --showformat='${Package} ${Version}\n' "$deb" >>"$apt/versions"
        rm "$deb"
    done
}

wanted=
for package; do
    # linux-image-cloud-arm64 and the like are empty, and depend on the package with the kernel.
    case $package in
    linux-image-[!0-9]*)
        real=$(depends "$package" | grep '^linux-image-[0-9]' | head -n 1)
        package=${real:-$package}
        ;;
    esac
    if ! apt-cache show "$package" >/dev/null 2>&1; then
        tail -n 5 "$apt/log" >&2
        fail "the system's package sources have no $package for arm64"
    fi
    wanted="$wanted $package"
done
# shellcheck disable=SC2086 # names of packages, to be split
unpack $wanted

# Of a package's dependencies only the libraries matter that its programs need: nothing here is ever
# configured. If a file needs a library, one of the packages that its own package depends on has it. Which
# one is known only when it is unpacked. So those that have likely names come first.
while
    lacking=$("$python" "$here/libraries.py" "$directory/root.new") ||
        fail "the programs in the packages could not be read"
    [ -n "$lacking" ]
do
    candidates=$(echo "$lacking" | while read -r file _; do
        owner=$(awk -v file="$file" '$1 == file { print $2; exit }' "$apt/owners")
        depends "$owner"
    done | sort -u | while read -r package; do
        grep -q "^$package " "$apt/versions" || echo "$package"
    done)
    likely=$(echo "$candidates" | grep '^lib' || echo "$candidates" | grep lib || echo "$candidates")
    [ -n "$likely" ] || break # no package has it; pack.py decides whether that matters
    # shellcheck disable=SC2086 # names of packages, to be split
    unpack $likely
done

# Python learns this compression in 3.14.
if [ -n "$(find "$directory/root.new" -name '*.ko.zst' | head -n 1)" ]; then
    "$here/../tools/setup.sh" zstd
fi

sort "$apt/versions" >"$directory/packages.txt"
mv "$directory/root.new" "$directory/root"
rm -rf "$apt/new" "$apt/cache" "$apt/owners" "$apt/versions"
