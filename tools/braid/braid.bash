# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion of `braid` in bash.

_braid()
{
    local word=${COMP_WORDS[COMP_CWORD]} command='' i system=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s)
            system=(-s "${COMP_WORDS[i + 1]}")
            ((i++))
            ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $command in
    '')
        mapfile -t COMPREPLY < <(compgen -W "up ps stats top console logs start stop kill restart pause
            resume events down help -s --version" -- "$word")
        ;;
    up)
        mapfile -t COMPREPLY < <(compgen -f -W "--port --foreground --wait" -- "$word")
        ;;
    console | start | stop | kill | restart | pause | resume)
        mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "${system[@]}" ps 2>/dev/null |
            awk 'NR > 1 { print $2 }')" -- "$word")
        ;;
    logs)
        mapfile -t COMPREPLY < <(compgen -W "-f -n $("${COMP_WORDS[0]}" "${system[@]}" ps --json 2>/dev/null |
            sed -n 's/.*"name": "\([^"\\]*\)".*/\1/p')" -- "$word")
        ;;
    events)
        mapfile -t COMPREPLY < <(compgen -W "--json -f" -- "$word")
        ;;
    stats)
        mapfile -t COMPREPLY < <(compgen -W "--json --openmetrics --watch $("${COMP_WORDS[0]}" "${system[@]}" \
            ps --json 2>/dev/null | sed -n 's/.*"name": "\([^"\\]*\)".*/\1/p')" -- "$word")
        ;;
    top)
        mapfile -t COMPREPLY < <(compgen -W "-n" -- "$word")
        ;;
    ps)
        mapfile -t COMPREPLY < <(compgen -W "--json" -- "$word")
        ;;
    help)
        mapfile -t COMPREPLY < <(compgen -W "up ps stats top console logs start stop kill restart pause
            resume events down" -- "$word")
        ;;
    esac
}
complete -F _braid braid
