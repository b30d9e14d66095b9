#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Install the programs and libraries that Braid is built with, as far as they are missing:
#
#     setup.sh build|check|lint|coverage|prove|distribution|picture|sdcard|zstd...
#
# It looks for each program and library itself, not for a package. If APT is there, it names the packages
# that are missing and installs them, and only them, as root or through sudo. Otherwise it names the
# packages of several distributions, and fails. If nothing is missing it prints nothing and takes some
# 10 ms, so make calls it every time. QEMU, PYTHON, CROSS and PICOLIBC name what is used in place of the
# defaults. The status is 3 if the distribution has no such package.
set -eu

for purpose; do
    case $purpose in
    build | check | lint | coverage | prove | distribution | picture | sdcard | zstd) ;;
    *)
        echo "setup: there is nothing called '$purpose' to set up for" >&2
        exit 2
        ;;
    esac
done
purposes=" $* "
emulator=${QEMU:-qemu-system-aarch64}
python=${PYTHON:-python3}
cross=${CROSS:-aarch64-linux-gnu-}
picolibc=${PICOLIBC:-/usr/lib/picolibc/aarch64-linux-gnu}
PATH=$PATH:/usr/sbin:/sbin # where some distributions have mke2fs

# ---- How to look for things: each is asked for by its kind and name --------------------------------

program() {
    command -v "$1" >/dev/null
}

# If the user names another emulator, whether it is there is checked later, in build.mk.
qemu() {
    [ "$emulator" != "$1" ] || program "$1"
}

file() {
    for path; do # the pattern's matches, or the pattern
        [ ! -e "$path" ] || return 0
    done
    return 1
}

header() {
    file "/usr/include/$1" || echo "#include <$1>" | gcc -E -x c - >/dev/null 2>&1
}

# To start the interpreter takes longer than all else here. So the system's modules are looked for as
# files.
python_module() {
    case $python in
    /usr/bin/*) file /usr/lib/python3*/dist-packages/"$1" /usr/lib/python3*/site-packages/"$1" \
        /usr/lib/python3*/dist-packages/"$1.py" /usr/lib/python3*/site-packages/"$1.py" && return 0 ;;
    esac
    "$python" -c "import $1" 2>/dev/null
}

fuzzer() {
    file /usr/lib*/clang/*/lib/*/libclang_rt.fuzzer*.a /usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*.a ||
        file "$(clang -print-file-name=libclang_rt.fuzzer.a 2>/dev/null)"
}

cross_library() {
    file "/usr/${cross%-}/lib/$1" || file "$("${cross}gcc" "-print-file-name=$1" 2>/dev/null)"
}

cross_header() {
    file "/usr/${cross%-}/include/$1"
}

picolibc_header() {
    file "$picolibc/include/$1"
}

# ---- What is looked for ----------------------------------------------------------------------------

# Sets `missing` to lines "thing|Debian's package|Fedora's|Arch's", and `packages` to Debian's.
look() {
    missing=
    packages=
    while IFS='|' read -r purpose kind name debian fedora arch; do
        case $purposes in *" $purpose "*) ;; *) continue ;; esac
        "$kind" "$name" && continue
        missing="$missing$name|$debian|$fedora|$arch
"
        case " $packages " in # one may hold several of them, and two purposes may want the same
        *" $debian "*) ;;
        *) packages="${packages:+$packages }$debian" ;;
        esac
    done <<TABLE
build|program|gcc|gcc|gcc|gcc
build|header|stdlib.h|libc6-dev|glibc-devel|glibc
build|program|${cross}gcc|gcc-aarch64-linux-gnu|gcc-aarch64-linux-gnu|aarch64-linux-gnu-gcc
build|cross_header|linux/virtio_net.h|linux-libc-dev-arm64-cross|kernel-cross-headers|aarch64-linux-gnu-linux-api-headers
build|picolibc_header|picolibc.h|picolibc-aarch64-linux-gnu|-|-
build|program|pkg-config|pkg-config|pkgconf-pkg-config|pkgconf
build|header|libxml2/libxml/parser.h|libxml2-dev|libxml2-devel|libxml2
build|header|libelf.h|libelf-dev|elfutils-libelf-devel|libelf
build|header|libfdt.h|libfdt-dev|libfdt-devel|dtc
build|header|yaml.h|libyaml-dev|libyaml-devel|libyaml
build|header|zlib.h|zlib1g-dev|zlib-devel|zlib
build|header|lzma.h|liblzma-dev|xz-devel|xz
build|header|zstd.h|libzstd-dev|libzstd-devel|zstd
build|qemu|qemu-system-aarch64|qemu-system-arm|qemu-system-aarch64|qemu-system-aarch64
build|program|python3|python3|python3|python
build|python_module|pexpect|python3-pexpect|python3-pexpect|python-pexpect
build|program|mke2fs|e2fsprogs|e2fsprogs|e2fsprogs
check|header|cmocka.h|libcmocka-dev|libcmocka-devel|cmocka
check|python_module|pytest|python3-pytest|python3-pytest|python-pytest
check|python_module|pytest_timeout|python3-pytest-timeout|python3-pytest-timeout|python-pytest-timeout
check|program|dtc|device-tree-compiler|dtc|dtc
check|program|clang|clang|clang|clang
check|fuzzer|libclang_rt.fuzzer|libclang-rt-dev|compiler-rt|compiler-rt
check|cross_library|libc.a|libc6-dev-arm64-cross|sysroot-aarch64-fcNN-glibc|aarch64-linux-gnu-glibc
check|program|dot|graphviz|graphviz|graphviz
check|program|zstd|zstd|zstd|zstd
check|program|mkimage|u-boot-tools|uboot-tools|uboot-tools
check|program|mformat|mtools|mtools|mtools
check|program|sfdisk|fdisk|util-linux-core|util-linux
check|file|/usr/lib/u-boot/qemu_arm64/u-boot.bin|u-boot-qemu|-|-
check|program|spin|spin|-|-
lint|header|cmocka.h|libcmocka-dev|libcmocka-devel|cmocka
lint|program|clang|clang|clang|clang
lint|program|clang-format|clang-format|clang-tools-extra|clang
lint|program|clang-tidy|clang-tidy|clang-tools-extra|clang
lint|program|cppcheck|cppcheck|cppcheck|cppcheck
lint|program|shellcheck|shellcheck|ShellCheck|shellcheck
lint|python_module|pyflakes|python3-pyflakes|python3-pyflakes|python-pyflakes
lint|python_module|pycodestyle|python3-pycodestyle|python3-pycodestyle|python-pycodestyle
coverage|header|cmocka.h|libcmocka-dev|libcmocka-devel|cmocka
coverage|program|clang|clang|clang|clang
coverage|program|llvm-cov|llvm|llvm|llvm
coverage|python_module|pytest|python3-pytest|python3-pytest|python-pytest
coverage|program|dtc|device-tree-compiler|dtc|dtc
coverage|fuzzer|libclang_rt.fuzzer|libclang-rt-dev|compiler-rt|compiler-rt
prove|program|frama-c|frama-c-base|frama-c|-
prove|program|why3|why3|why3|-
prove|program|cvc4|cvc4|-|-
sdcard|program|mkimage|u-boot-tools|uboot-tools|uboot-tools
sdcard|program|mformat|mtools|mtools|mtools
sdcard|program|sfdisk|fdisk|util-linux-core|util-linux
distribution|program|debootstrap|debootstrap|debootstrap|debootstrap
distribution|program|fakeroot|fakeroot|fakeroot|fakeroot
distribution|program|ssh|openssh-client|openssh-clients|openssh
picture|program|dot|graphviz|graphviz|graphviz
zstd|program|zstd|zstd|zstd|zstd
TABLE
}

look
[ -n "$missing" ] || exit 0

# ---- Without APT -----------------------------------------------------------------------------------

if ! program apt-get || ! program dpkg-query; then
    {
        echo "make: these programs and libraries are missing; the packages that have them are called"
        row='  %-24s %-28s %-26s %s\n'
        # shellcheck disable=SC2059 # it is one
        printf "$row" "" Debian Fedora Arch
        while IFS='|' read -r name debian fedora arch; do
            # shellcheck disable=SC2059
            [ -z "$name" ] || printf "$row" "$name" "$debian" "$fedora" "$arch"
        done <<TABLE
$missing
TABLE
        case $missing in
        *picolibc.h*)
            echo "make: where picolibc is no package, build it for $cross and say where it is: PICOLIBC=DIR" \
                "(DIR/include, DIR/lib)"
            ;;
        esac
        case $missing in
        *spin\|*) echo "make: where spin is no package, build it: https://github.com/nimble-code/Spin" ;;
        esac
    } >&2
    exit 1
fi

# ---- Install it ------------------------------------------------------------------------------------

echo "These packages of the distribution are missing: $packages"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=sudo
    else
        echo "This user cannot install them. As root:" >&2
        echo "    apt-get install --no-install-recommends $packages" >&2
        exit 1
    fi
fi
echo "Installing them with APT${as_root:+, through sudo}."

# A machine that has just been started may be updating itself. So APT waits for the lock.
install() {
    # shellcheck disable=SC2086 # a list
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=0 -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=1800 "$@" </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The lists may name versions that the mirror no longer has.
install update >"$log" 2>&1 || true
absent=
for package in $packages; do
    apt-cache show "$package" >/dev/null 2>&1 || absent="$absent $package"
done
if [ -n "$absent" ]; then
    echo "make: this distribution has no package of this name:$absent" >&2
    exit 3
fi
# shellcheck disable=SC2086 # a list
{ install install $packages 2>&1 && echo "All are set up."; } | tee "$log" |
    sed -u -n 's/^Get:.* \([^ ]*\) [^ ]* [^ ]* \[\(.*\)\]$/  fetch   \1 (\2)/p
               s/^Setting up \([^ ]*\).*/  set up  \1/p'
if ! tail -n 1 "$log" | grep -q '^All are set up'; then
    cat "$log" >&2
    echo "APT could not install: $packages" >&2
    exit 1
fi
look
if [ -n "$missing" ]; then
    echo "make: APT has installed all that was asked for, and these are still missing:" >&2
    echo "$missing" | sed -n 's/^\([^|]*\)|\([^|]*\)|.*/    \1 (\2)/p' >&2
    exit 1
fi
