#!/usr/bin/env bash
# A Debian that is booted: the package installed, one user's daemon by its unit, another's by `cocli daemon install`,
# both level; hung, upgraded, taken away.
#   tests/install/boot.sh PACKAGE.deb
# It wants root, systemd-nspawn and debootstrap (`apt-get install systemd-container debootstrap`); without them, or where
# nothing can be booted, it says so and ends well. The Debian is kept in target/debian; what is done there is not.
set -euo pipefail
cd "$(dirname "$0")/../.."
package=$(realpath "$1")
root=$PWD/target/debian
dir=$(mktemp -d)
booted=

away() {
    # Only what was started here: by its number.
    if [[ $booted ]]; then kill -TERM "$booted" && wait "$booted" || true; fi
    rm -rf "$dir"
}
trap away EXIT
skip() { echo "skipped: $*"; exit 0; }
fail() {
    echo "failed: $*" >&2
    inside journalctl --no-pager -n 40 >&2 || true
    exit 1
}
within() { # seconds, words
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}
inside() { nsenter -t "$(pgrep -P "$booted")" -a "$@"; }
# As a user who logs in does.
as() { # user, words
    local user=$1
    shift
    inside su - "$user" -c "$(printf '%q ' "$@")"
}
shown() { inside systemctl show --value -p "$1" cocli@ada; }
digest() { as "$1" cocli state --digest; }
level() { [[ $(digest ada) == "$(digest bob)" ]]; }

if ! command -v systemd-nspawn >/dev/null || ! command -v debootstrap >/dev/null; then
    skip "apt-get install systemd-container debootstrap"
fi
if [[ ! -e $root/made ]]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd bookworm "$root" >"$dir/made" ||
        skip "no Debian to be had: $(tail -1 "$dir/made")"
    touch "$root/made"
fi
systemd-nspawn --quiet --directory="$root" --volatile=overlay --boot --register=no --keep-unit --private-network \
    --machine="cocli-$$" --bind-ro="$package:/package.deb" --console=pipe </dev/null >"$dir/console" 2>&1 &
booted=$!
# It answers before it is all there.
within 60 inside systemctl is-system-running --wait || { tail -3 "$dir/console"; skip "nothing boots here"; }

inside dpkg -i /package.deb >/dev/null
inside useradd -m -s /bin/bash ada
inside useradd -m -s /bin/bash bob
echo "installed: $(inside dpkg-query -W -f '${Package} ${Version} ${Architecture}, ${Installed-Size} KiB' cocli-crm)"

# One by the unit of the package.
as ada cocli init --node ada >/dev/null
as ada cocli add company Acme --set city=Dallas >/dev/null
inside systemctl enable --quiet --now cocli@ada || fail "the unit does not start"
[[ $(shown StatusText) == "ada listens at "* ]] || fail "it does not say that it is ready: $(shown StatusText)"
echo "unit: $(inside systemd-analyze --no-pager security cocli@ada | tail -1 | grep -o 'Overall.*[0-9.]* [A-Z]*')"

# What sudo would begin is refused, with nothing written.
inside env HOME=/home/ada XDG_CONFIG_HOME=/home/ada/.config cocli daemon install >/dev/null 2>"$dir/notes" && fail "root installs ada's"
grep -q "is another user's" "$dir/notes" || fail "root is told: $(cat "$dir/notes")"
[[ ! $(inside find /home/ada ! -user ada) ]] || fail "files that are not ada's: $(inside find /home/ada ! -user ada)"

inside systemctl stop cocli@ada
as ada cocli daemon install >/dev/null 2>"$dir/notes" && fail "a service of ada's beside the unit"
grep -q 'the unit of the package begins' "$dir/notes" || fail "ada is told: $(cat "$dir/notes")"
inside systemctl start cocli@ada

# One by the user's own hand.
as ada cocli ticket --address 127.0.0.1:9999 | as bob cocli init --node bob --join - >/dev/null
as bob cocli config set gossip.port 9998 >/dev/null
as bob cocli daemon install >/dev/null 2>"$dir/notes" || fail "no service of bob's"
grep -q 'sudo loginctl enable-linger' "$dir/notes" || fail "bob may not linger, and is not told so"
inside loginctl enable-linger bob
as bob cocli daemon install >/dev/null 2>&1 || fail "a service of bob's, again"
within 30 level || fail "not level: $(digest ada) $(digest bob)"
as bob cocli set acme state=TX --wait 1 >/dev/null 2>&1 || fail "what bob writes does not come to ada"
[[ $(as ada cocli get acme state) == TX ]] || fail "what bob wrote is not seen by ada"
strange=$(inside find /home/ada ! -user ada)
[[ ! $strange ]] || fail "files that are not ada's: $strange"
echo "two services, level; what one writes comes to the other, and the files are their owners'"

# A home elsewhere: it is said what the unit wants, and that is all it wants.
inside useradd -m -s /bin/bash carol
inside install -d -o carol -g carol /srv/crm
as carol cocli init /srv/crm --node carol >/dev/null
as carol cocli config set gossip.port 9997 >/dev/null
inside systemctl start cocli@carol 2>/dev/null && fail "the unit writes to /srv"
inside journalctl --no-pager -u cocli@carol | grep -q '`ReadWritePaths=/srv/crm`' || fail "it is not said what a home elsewhere wants"
inside mkdir -p /run/systemd/system/cocli@carol.service.d
inside sh -c 'printf "[Service]\nReadWritePaths=/srv/crm\n" >/run/systemd/system/cocli@carol.service.d/home.conf'
inside systemctl daemon-reload
inside systemctl restart cocli@carol || fail "a home elsewhere is not served"
as carol cocli add company Elsewhere >/dev/null

# By who is not logged in, but may linger: root, here, whose manager is begun for it. Odd names of folders stand in its unit.
inside systemctl stop user@0
odd='/root/a "b" \ 100% $HOME é ; <&>'
alone() { inside env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS HOME=/root cocli --data "$odd" "$@"; }
alone init "$odd" --node root >/dev/null
alone config set gossip.port 9996 >/dev/null
alone daemon install >"$dir/notes" 2>&1 || fail "no service of root's: $(cat "$dir/notes")"
grep -q linger "$dir/notes" && fail "root may not linger: $(cat "$dir/notes")"
alone status | grep -q 'the daemon runs' || fail "no daemon at $odd"
inside env HOME=/root cocli --data "$odd/" daemon uninstall >/dev/null || fail "root's service does not go"
inside rm -rf /root/.config/cocli "$odd"
inside loginctl disable-linger root
echo "a home elsewhere, an odd name, nobody logged in"

# One that hangs.
inside mkdir -p /run/systemd/system/cocli@ada.service.d
inside sh -c 'printf "[Service]\nWatchdogSec=4\n" >/run/systemd/system/cocli@ada.service.d/soon.conf'
inside systemctl daemon-reload
inside systemctl restart cocli@ada
sleep 6 # Longer than may pass without a sign of life.
[[ $(shown NRestarts) == 0 ]] || fail "one that lives is begun again"
inside systemctl kill --kill-whom=main --signal=STOP cocli@ada
began=$SECONDS
revived() { [[ $(shown NRestarts) -ge 1 && $(shown ActiveState) == active ]]; }
within 60 revived || fail "one that hangs is not begun again"
echo "one that hangs is begun again, after $((SECONDS - began)) s of a watch of 4"

# Upgraded: what runs goes on with the new one.
before=$(shown MainPID)
inside dpkg -i /package.deb >/dev/null
inside systemctl is-active --quiet cocli@ada || fail "not active after an upgrade"
[[ $(shown MainPID) != "$before" ]] || fail "an upgrade leaves the old one running"
as bob cocli daemon restart >/dev/null
as bob cocli set acme zip_code=75094 --wait 1 --timeout 30 >/dev/null 2>&1 || fail "no write comes through after an upgrade"
echo "upgraded, and both go on"

# Taken away.
as bob cocli daemon uninstall >/dev/null || fail "bob's service does not go"
[[ $(as bob systemctl --user is-active cocli.service) == inactive ]] || fail "bob's daemon runs on"
inside dpkg --purge cocli-crm >/dev/null 2>&1 || fail "the package does not go"
left=$(inside find / -xdev -not -path '/proc/*' -not -path '/sys/*' -not -path '/home/*' -not -path '/srv/*' -not -path '/run/systemd/system/*' -iname '*cocli*' || true)
[[ ! $left ]] || fail "left behind: $left"
inside sh -c 'cat /proc/[0-9]*/comm' 2>/dev/null | grep -qx cocli && fail "a daemon runs on"
inside test -f /home/ada/cocli/companies/acme/_index.md || fail "ada's cards are gone"
failed=$(inside systemctl --failed --no-legend)
[[ ! $failed ]] || fail "failed units: $failed"
echo "taken away: no file but the homes, no process"
