#!/usr/bin/env bash
# The binaries for ARM are begun, and one home is the same on each: the digest of its state, before and after each of them
# wrote, merged and compacted.
#   tests/install/arm.sh BINARY        BINARY is one of this machine; those of `.ci/dist build` are held against it
# It wants qemu-user, and for armv7 the C library of that machine (`apt-get install qemu-user libc6-armhf-cross`).
set -euo pipefail
cd "$(dirname "$0")/../.."
own=$(realpath "$1")
built=${CARGO_TARGET_DIR:-target}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CONFIG_HOME=$dir/config TZ=Europe/Berlin
fail() { echo "failed: $*" >&2; exit 1; }

on() { # words of a binary, home, words
    local binary=$1 home=$2
    shift 2
    $binary --data "$dir/$home" "$@"
}
same() { # what, words of a binary, home
    local here there
    here=$("$own" --data "$dir/$3" state --digest) there=$(on "$2" "$3" state --digest)
    [[ $here == "$there" ]] || fail "$1: $here here, $there there"
    echo "$1: $here"
}

on "$own" first init --node here >/dev/null
on "$own" first import csv examples/listed-companies.csv >/dev/null
on "$own" first set apple-inc tags+=lead next_at="next tue" next_step='say "hello"; ask for 1/2 ½' >/dev/null 2>&1
on "$own" first note apple-inc "they ring back on Monday" >/dev/null

tried=0
for one in "aarch64-unknown-linux-musl qemu-aarch64" "armv7-unknown-linux-gnueabihf qemu-arm -L /usr/arm-linux-gnueabihf"; do
    read -r target qemu <<<"$one"
    binary=$built/$target/dist/cocli
    if [[ ! -f $binary ]] || ! command -v "${qemu%% *}" >/dev/null; then
        echo "skipped: $target: no $binary, or no ${qemu%% *}"
        continue
    fi
    tried=$((tried + 1))
    there="$qemu $binary"
    echo "$(on "$there" none --version), $target: $(stat -c %s "$binary") bytes"
    cp -a "$dir/first" "$dir/$target"
    same "$target, as it came" "$there" "$target"
    [[ $(on "$there" "$target" show apple-inc) == *"Apple Inc"* ]] || fail "$target does not show it"
    on "$there" "$target" set apple-inc city=Austin tags-=lead founded=1976 >/dev/null
    on "$there" "$target" add company "Österreichische Post" --set city=Wien >/dev/null
    same "$target, after it wrote" "$there" "$target"
    on "$there" "$target" compact >/dev/null
    on "$own" "$target" set apple-inc city=Dallas >/dev/null
    on "$own" "$target" compact >/dev/null
    same "$target, after both compacted" "$there" "$target"
    # What one wrote the other reads as damage of nothing.
    on "$own" "$target" doctor >/dev/null || fail "$target: doctor finds something: $(on "$own" "$target" doctor)"
    on "$there" alone init "$dir/alone-$target" --node there >/dev/null
    on "$there" "alone-$target" add company Acme --set city=Dallas >/dev/null
    same "$target, a home of its own" "$there" "alone-$target"
done
[[ $tried -gt 0 ]] || echo "skipped: nothing to try"
