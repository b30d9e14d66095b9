#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Build the module beside this for a guest's kernel, which is one of the distribution's:
#
#     build.sh ROOT OUT
#
# ROOT is where fetch.sh unpacked the kernel's package. It leaves OUT/braid_shared.ko. The headers of that
# kernel are fetched, with what runs on this machine to build for them: some 15 MB. They stay in OUT. CROSS
# is the cross compiler's prefix.
set -eu

root=$1
out=$2
case $root in /*) ;; *) root=$PWD/$root ;; esac
case $out in /*) ;; *) out=$PWD/$out ;; esac
here=$(cd "$(dirname "$0")" && pwd)
cross=${CROSS:-aarch64-linux-gnu-}
# shellcheck source=guest/apt.sh
. "$here/../apt.sh"

fail() {
    echo "guest: $*" >&2
    echo "guest: the module is for Linux machines that share memory; docs/shared.md says how to do without" >&2
    exit 1
}

for modules in "$root"/usr/lib/modules/* "$root"/lib/modules/*; do
    [ ! -d "$modules" ] || version=${modules##*/}
done
[ -n "${version:-}" ] || fail "the packages hold no modules, so it is not known for which kernel to build one"
headers=linux-headers-$version

tree=$out/headers/usr/src

# The headers of all configurations, and scripts, are packages of their own.
fetch() {
    { command -v apt-get && command -v dpkg-deb; } >/dev/null ||
        fail "no apt-get or dpkg-deb here to fetch the kernel's headers with"
    native=$(dpkg --print-architecture)
    rm -rf "$out/headers" "$out/new"
    mkdir -p "$out/new" "$out/headers"
    case $native in
    arm64) use_apt "$out/apt" arm64 ;;
    *) use_apt "$out/apt" arm64 "$native" ;;
    esac
    wanted=$headers
    for package in $(depends "$headers"); do
        case $package in
        linux-headers-*) wanted="$wanted $package" ;;
        linux-kbuild-*) wanted="$wanted ${package%%:*}:$native" ;;
        esac
    done
    echo "  APT     $wanted"
    # shellcheck disable=SC2086 # names of packages, to be split
    (cd "$out/new" && apt-get -q download $wanted >>"$out/apt/log" 2>&1) || {
        tail -n 5 "$out/apt/log" >&2
        fail "the headers of the kernel $version could not be fetched; if the distribution has a newer one by now," \
            "remove ${root%/*}/fetched, and make fetches that"
    }
    for deb in "$out"/new/*.deb; do
        dpkg-deb -x "$deb" "$out/headers"
    done
    rm -rf "$out/new" "$out/apt/cache"
    echo "$version" >"$out/headers/version"
}

[ "$(cat "$out/headers/version" 2>/dev/null)" = "$version" ] || fetch

# Debian's headers name the common part by its place in an installed system, so it is called directly.
common=$(find "$tree" -maxdepth 1 -name 'linux-headers-*-common*')
[ -f "$common/Makefile" ] || fail "the headers of $version are not as Debian's are"
rm -rf "$out/build"
mkdir "$out/build"
cp "$here/braid_shared.c" "$out/build"
echo 'obj-m := braid_shared.o' >"$out/build/Kbuild"
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$tree/$headers" -f "$common/Makefile" ARCH=arm64 \
    CROSS_COMPILE="$cross" CC="${cross}gcc" M="$out/build" modules >"$out/log" 2>&1 || {
    cat "$out/log" >&2
    fail "the module could not be built"
}
"${cross}strip" --strip-debug -o "$out/braid_shared.ko" "$out/build/braid_shared.ko"
rm -rf "$out/build"
