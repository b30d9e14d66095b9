#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Fetch the guests' arm64 packages from the distribution and unpack them:
#
#     fetch.sh DIRECTORY PACKAGE...
#
# leaves DIRECTORY/root, the files of all packages and of the libraries they need over each other, and
# DIRECTORY/packages.txt, which versions they are. APT runs with a state, a cache and a list of installed packages of its own, all
# under DIRECTORY; of the system it reads sources, keys, pins and proxies, and it changes nothing there.
# No privileges are needed.
set -eu

directory=$1
shift
case $directory in /*) ;; *) directory=$PWD/$directory ;; esac
apt=$directory/apt

fail() {
    echo "guest: $*" >&2
    echo "guest: LINUX=/path/to/Image INITRD=/path/to/initramfs use your own files instead" >&2
    exit 1
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    fail "no apt-get or dpkg-deb here to fetch the guests' packages with"

rm -rf "$directory/root" "$directory/root.new" "$apt/new"
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/new" "$directory/root.new"
: >"$apt/status"

# The hooks in the system's configuration are the system's business; how it reaches its mirrors is ours.
{
    echo 'Dir::Etc::parts "/dev/null";'
    echo 'Dir::Etc::main "/dev/null";'
    apt-config dump Acquire
    cat <<CONFIG
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "$(id -un)";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
Acquire::Retries "3";
CONFIG
} >"$apt/apt.conf.new"
mv "$apt/apt.conf.new" "$apt/apt.conf"
export APT_CONFIG="$apt/apt.conf"

echo "  APT     arm64 package lists"
# A source that has nothing for arm64 is no error as long as another one has; hence the check below.
apt-get -q update >"$apt/log" 2>&1 || true

depends() {
    apt-cache depends -i "$1" 2>/dev/null | sed -n "s/^ *|*\(Pre\)*Depends: \($2\)\$/\2/p"
}

# The kernel is in the package that linux-image-cloud-arm64 and its like depend on. Of the other
# packages' dependencies only the libraries matter: nothing here is ever configured.
wanted=
while [ $# -gt 0 ]; do
    package=$1
    shift
    case " $wanted " in *" $package "*) continue ;; esac
    case $package in
    linux-image-[!0-9]*)
        real=$(depends "$package" 'linux-image-[0-9][^ ]*' | head -n 1)
        package=${real:-$package}
        ;;
    linux-image-*) ;;
    *)
        # shellcheck disable=SC2046 # names of packages, to be split
        set -- "$@" $(depends "$package" 'lib[^ ]*')
        ;;
    esac
    if ! apt-cache show "$package" >/dev/null 2>&1; then
        tail -n 5 "$apt/log" >&2
        fail "the system's package sources have no $package for arm64"
    fi
    wanted="$wanted $package"
done

echo "  APT    $wanted"
# shellcheck disable=SC2086 # names of packages, to be split
(cd "$apt/new" && apt-get -q download $wanted >>"$apt/log" 2>&1) || {
    tail -n 5 "$apt/log" >&2
    fail "the packages could not be fetched"
}

for deb in "$apt"/new/*.deb; do
    dpkg-deb -x "$deb" "$directory/root.new"
    dpkg-deb -W --showformat='${Package} ${Version}\n' "$deb"
done | sort >"$directory/packages.txt"
mv "$directory/root.new" "$directory/root"
rm -rf "$apt/new" "$apt/cache"
