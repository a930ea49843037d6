#!/usr/bin/env bash
# Two nodes without a configured peer find each other on a local network: two network namespaces on a
# bridge. It wants the rights to make namespaces, and says so when it has none.
#   tests/net/mdns.sh [ADDRESS TO BIND TO [BINARY]]
set -euo pipefail
cd "$(dirname "$0")/../.."
bind=${1:-0.0.0.0}
bin=$(realpath "${2:-target/debug/cocli}")
lan=cocli-$$-lan one=cocli-$$-one two=cocli-$$-two
dir=$(mktemp -d)
pids=()

away() {
    # Only what was started here: by its number.
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    for space in "$lan" "$one" "$two"; do ip netns del "$space" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap away EXIT

if ! ip netns add "$lan" 2>/dev/null; then
    echo "skipped: network namespaces cannot be made here (are you root?)"
    exit 0
fi

fail() {
    echo "failed: $*" >&2
    for node in pi1 laptop; do
        echo "-- $node" >&2
        cat "$dir/$node.log" >&2 || true
        COCLI_DATA_HOME="$dir/$node" "$bin" doctor net >&2 || true
    done
    exit 1
}

# Waits for at most $1 seconds until the rest succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

cable() { # namespace, address, port
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip -n "$1" link add lan0 type veth peer name "$3" netns "$lan"
    ip -n "$1" addr add "$2/24" dev lan0
    ip -n "$1" link set lan0 up
    ip -n "$lan" link set "$3" master br0 up
}

cocli() { # node, words
    local node=$1
    shift
    HOME="$dir" XDG_CONFIG_HOME="$dir/config" COCLI_DATA_HOME="$dir/$node" "$bin" "$@"
}

start() { # namespace, node, words
    local space=$1 node=$2
    shift 2
    HOME="$dir" COCLI_DATA_HOME="$dir/$node" \
        ip netns exec "$space" "$bin" daemon --bind "$bind" "$@" >"$dir/$node.log" 2>&1 &
    pids+=($!)
}

# Addresses that a layer gave to a node.
given() { # node, layer
    cocli "$1" --json doctor net 2>/dev/null | python3 -c '
import json, sys
for entry in (json.load(sys.stdin)["daemon"] or {"addresses": []})["addresses"]:
    for source in entry["from"]:
        if source["layer"] == sys.argv[1]:
            print(entry["address"], source["name"])' "$2"
}
sees() { [[ $(given "$1" "$2") == *"$3"* ]]; }
lacks() { ! sees "$@"; }
level() {
    [[ $(cocli pi1 state --digest) == "$(cocli laptop state --digest)" ]]
}

ip -n "$lan" link add br0 type bridge
ip -n "$lan" link set br0 up
cable "$one" 10.77.0.1 port1
cable "$two" 10.77.0.2 port2
# What containers stand behind is told to nobody.
ip -n "$one" link add docker0 type veth peer name inside0
ip -n "$one" addr add 172.17.0.1/16 dev docker0
ip -n "$one" link set inside0 up
ip -n "$one" link set docker0 up

(cd "$dir" && cocli x init pi1 --node pi1 >/dev/null)
ticket=$(cocli pi1 ticket)
(cd "$dir" && cocli x init laptop --node laptop --join - <<<"$ticket" >/dev/null)
cocli pi1 add company Acme --set city=Dallas >/dev/null
cocli laptop add company Other --set city=Waco >/dev/null

started=$SECONDS
start "$one" pi1
start "$two" laptop
within 10 level || fail "the nodes are not level after 10 s"
echo "level after $((SECONDS - started)) s without a configured peer"

sees laptop mdns 10.77.0.1:9999 || sees pi1 mdns 10.77.0.2:9999 || fail "not by mDNS"
within 5 sees laptop mdns 10.77.0.1:9999 || fail "laptop has not heard of pi1"
lacks laptop mdns 172.17.0.1 || fail "the address of a Docker bridge was told"
cocli pi1 doctor net | grep -q 'docker0.*skipped' || fail "the doctor does not name docker0"
echo "the Docker bridge stays hidden"

ip -n "$one" addr add 10.77.0.11/24 dev lan0
ip -n "$one" addr del 10.77.0.1/24 dev lan0
ip -n "$one" addr show dev lan0 | grep -q 10.77.0.11 || ip -n "$one" addr add 10.77.0.11/24 dev lan0
within 30 sees laptop mdns 10.77.0.11:9999 || fail "a new address is not followed"
echo "a new address is followed"

service=$(given laptop mdns | awk '/10.77.0.11/ {print $2; exit}')
kill "${pids[1]}" && wait "${pids[1]}" || true
start "$two" laptop --peer "$service.local"
within 10 sees laptop configured 10.77.0.11:9999 || fail "$service.local leads nowhere"
echo "a name in .local leads to its node"

within 10 sees laptop mdns 10.77.0.11:9999 || fail "laptop has not heard of pi1 again"
kill "${pids[0]}" && wait "${pids[0]}" || true
within 10 lacks laptop mdns 10.77.0.11:9999 || fail "a goodbye was not heard"
echo "a goodbye is heard"

kill "${pids[2]}" && wait "${pids[2]}" || true
for node in pi1 laptop; do
    rm "$dir/$node/.cocli/peers.json"
    printf '[gossip]\nmdns = false\n' >"$dir/$node/.cocli/config.toml"
done
echo 'fallback = ["10.77.0.11"]' >>"$dir/laptop/.cocli/config.toml"
cocli pi1 set acme state=TX >/dev/null
start "$one" pi1
start "$two" laptop
sleep 20
! level || fail "a fallback was asked too early"
within 30 level || fail "a fallback was not asked"
sees laptop fallback 10.77.0.11:9999 || fail "not by the fallback"
echo "a fallback is asked when nobody has answered for long"
