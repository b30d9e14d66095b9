# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# An APT with a state of its own, for scripts to source:
#
#     use_apt DIRECTORY ARCHITECTURE...
#
# makes it in DIRECTORY, for packages of these architectures, fetches the lists of what there is, and has
# APT_CONFIG name it. It reads the system's sources, keys, pins and proxies, and changes nothing there. Its
# messages are in DIRECTORY/log. No privileges are needed.

use_apt() {
    apt=$1
    shift
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    # Of the system's configuration only what concerns the mirrors is taken, not its hooks.
    {
        echo 'Dir::Etc::parts "/dev/null";'
        echo 'Dir::Etc::main "/dev/null";'
        apt-config dump Acquire
        echo "APT::Architecture \"$1\";"
        echo "APT::Architectures { $(printf '"%s"; ' "$@")};"
        cat <<CONFIG
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
    echo "  APT     $* package lists"
    # It is no error if a source has nothing for one of them, as long as another one has it.
    apt-get -q update >"$apt/log" 2>&1 || true
}

# The names of the packages that a package depends on, in its own order, with all alternatives.
depends() {
    apt-cache depends -i "$1" 2>/dev/null | sed -n 's/^ *|*\(Pre\)*Depends: \([^<]*\)$/\2/p'
}
