#!/usr/bin/env bash
# Two containers of the image that is handed out, not run by root, find each other on the host's network by mDNS and
# become equal; what the image has to bring along (authorities, time zones, a place for temporary files) is there.
#   tests/docker/run.sh [BINARY]       BINARY is a static one; without, one is built by the `release` profile
# It wants root, rustup's target x86_64-unknown-linux-musl (added when it lacks), Docker (`apt-get install
# docker.io`); it starts a Docker daemon of its own when none runs, and leaves nothing behind but the build.
# Not a part of .ci/run: few machines have all of it. On 2026-11-23 (docker.io 20.10, two cores): an image of
# 11.6 MiB, equal after 2 s.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=x86_64-unknown-linux-musl
image=cocli-test-$$
containers=(cocli-$$-pi1 cocli-$$-laptop)
dir=$(mktemp -d)
daemon=

away() {
    docker rm -f "${containers[@]}" >/dev/null 2>&1 || true
    docker rmi -f "$image" >/dev/null 2>&1 || true
    # Only what was started here: by its number.
    if [[ $daemon ]]; then kill "$daemon" && wait "$daemon" || true; fi
    umount "$dir/exec/netns/default" 2>/dev/null || true
    rm -rf "$dir"
}
trap away EXIT

skip() {
    echo "skipped: $*"
    exit 0
}
fail() {
    echo "failed: $*" >&2
    for container in "${containers[@]}"; do docker logs "$container" >&2 || true; done
    exit 1
}
within() { # seconds, words
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

built=$dir/built/$target/dist
mkdir -p "$built"
if [[ ${1:-} ]]; then
    cp "$1" "$built/cocli"
else
    if ! rustup target list --installed 2>/dev/null | grep -q "$target"; then
        rustup target add "$target" 2>/dev/null || skip "no target $target"
    fi
    # The cipher's C wants nothing of a C library, so that any compiler does where musl's own is not there.
    export CC_x86_64_unknown_linux_musl=${CC_x86_64_unknown_linux_musl:-cc}
    cargo build --quiet --release --locked --target "$target" -p cocli-crm
    cp "${CARGO_TARGET_DIR:-target}/$target/release/cocli" "$built/cocli"
fi

if ! docker info >/dev/null 2>&1; then
    command -v dockerd >/dev/null || skip "no Docker: apt-get install docker.io"
    export DOCKER_HOST=unix://$dir/docker.sock
    dockerd --storage-driver=vfs --data-root="$dir/data" --exec-root="$dir/exec" --pidfile="$dir/pid" \
        --host="$DOCKER_HOST" --bridge=none --iptables=false >"$dir/dockerd.log" 2>&1 &
    daemon=$!
    within 30 docker info >/dev/null 2>&1 || { tail -3 "$dir/dockerd.log"; skip "a Docker daemon does not start here"; }
fi

CARGO_TARGET_DIR=$dir/built .ci/dist image "$image" || fail "no image"
image=$image-amd64
# A node's home is its owner's, and the rest of a container cannot be written.
owner=1234:1234
how=(--network host --user "$owner" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true)
for node in pi1 laptop; do install -d -o "${owner%:*}" -g "${owner#*:}" "$dir/$node"; done

once() { # node, words: a command in a container of its own
    local node=$1
    shift
    docker run -i --rm "${how[@]}" -v "$dir/$node:/data" -e TZ="${TZ:-UTC}" "$image" "$@"
}
once pi1 init --node pi1 >/dev/null
ticket=$(once pi1 ticket)
once laptop init --node laptop --join - <<<"$ticket" >/dev/null
once pi1 add company Acme --set city=Dallas >/dev/null
once laptop add company Other --set city=Waco >/dev/null

started=$SECONDS
docker run -d --name "${containers[0]}" "${how[@]}" -v "$dir/pi1:/data" "$image" daemon --port 19991 >/dev/null
docker run -d --name "${containers[1]}" "${how[@]}" -v "$dir/laptop:/data" "$image" daemon --port 19992 >/dev/null
digest() { docker exec "$1" /cocli state --digest; }
level() { [[ $(digest "${containers[0]}") == "$(digest "${containers[1]}")" ]]; }
gone() { [[ $(docker inspect -f '{{.State.Running}}' "${containers[1]}") == false ]]; }
within 20 level || fail "not level after 20 s"
echo "level after $((SECONDS - started)) s without a configured peer"
docker exec "${containers[0]}" /cocli set acme state=TX --wait 1 >/dev/null 2>&1 || fail "a write does not arrive"
[[ $(docker exec "${containers[1]}" /cocli get acme state) == TX ]] || fail "a write is not seen"
docker stop -t 10 "${containers[1]}" >/dev/null
[[ $(docker inspect -f '{{.State.ExitCode}}' "${containers[1]}") == 0 ]] || fail "a stop is not clean"
echo "a write is on the other when --wait returns, and a stop is clean"

# A container ends with its daemon, and so does what runs in it: by then all is done and told.
docker start "${containers[1]}" >/dev/null
within 20 level || fail "not level after a start"
left=$(docker exec "${containers[1]}" /cocli leave || true)
[[ $left == *"laptop left: pi1 holds all"* ]] || fail "leave: $left"
within 20 gone || fail "a daemon runs on after it left"
[[ $(once laptop daemon 2>&1 || true) == *"left its cluster"* ]] || fail "it comes back after it left"
echo "leave ends the container, and does not come back"

# Nothing listens there: a client that finds no authorities fails before it asks.
asked=$(docker run --rm "${how[@]}" -v "$dir/pi1:/data" -e AWS_ACCESS_KEY_ID=a -e AWS_SECRET_ACCESS_KEY=b \
    -e AWS_ENDPOINT_URL=https://127.0.0.1:1 -e AWS_REGION=us-east-1 "$image" init /data --bucket s3://nowhere 2>&1 || true)
[[ $asked == *onnect* && $asked != *builder* ]] || fail "authorities: $asked"
once pi1 set acme next_at="2026-07-01 12:00" >/dev/null 2>&1
TZ=Asia/Tokyo once pi1 meeting add acme "2026-07-01 21:00" "Kick off" >/dev/null
[[ $(TZ=Europe/Berlin once pi1 meeting list acme) == *14:00* ]] || fail "zones: $(TZ=Europe/Berlin once pi1 meeting list acme)"
asked=$(docker run --rm "${how[@]}" --user 4321:4321 -v "$dir/pi1:/data" "$image" status 2>&1 || true)
[[ $asked == *"Permission denied"* ]] || fail "another user: $asked"
strange=$(find "$dir/pi1" "$dir/laptop" ! -uid "${owner%:*}")
[[ ! $strange ]] || fail "files of another: $strange"
echo "authorities and time zones are there, files are their owner's"
