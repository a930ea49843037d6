#!/usr/bin/env python3
"""Ten million datagrams of a million companies: merging all, merging ten thousand more, get, set, find and list.

usage: tests/bench/scale.py COCLI GENERATE [RECORDS [TARGETS]]        (.ci/long scale builds both)

Ours and the rivals by turns, three rounds, the first dropped. DuckDB and Polars do the same merge with
two threads, fed copies with newlines that cost them nothing, and write what they found sorted, as text; nothing
of theirs is synced, all of ours is. DuckDB does it in two ways: by a struct of what law 1 compares, and by the
text of it (which is the same here, since a timestamp has one length); so does Polars, by the columns and by the
text. In the end our winners are compared with DuckDB's, row by row. Needs 3 GB below $TMPDIR, 2 GB in /dev/shm, and `pip install duckdb polars` (what is missing is left out).
"""
import os, shutil, statistics, subprocess, sys, tempfile, threading, time

COCLI, GENERATE = map(os.path.abspath, sys.argv[1:3])
RECORDS = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000_000
TARGETS = int(sys.argv[4]) if len(sys.argv) > 4 else 1_000_000
ROUNDS = 3
COLUMNS = ["ts", "node", "target", "field", "value", "causality"]

DUCKDB = """
import duckdb, sys
lines, out, how = sys.argv[1:4]
db = duckdb.connect()
db.execute("set threads = 2")
db.execute("set preserve_insertion_order = false")
columns = {name: "VARCHAR" for name in %r}
source = (f"read_csv('{lines}/*.txt', delim = chr(31), header = false, quote = '', escape = '', "
          f"auto_detect = false, new_line = '\\\\n', columns = {columns})")
winner = {"struct": "max(row(ts, node, value, causality))",
          "text": "max(concat(ts, chr(31), node, chr(31), value, chr(31), causality))"}[how]
db.execute(f"copy (select {winner} w, target, field from {source} group by target, field order by target, field) "
           f"to '{out}' (format csv, delimiter '\\x1f', header false, quote '')")
""" % COLUMNS

POLARS = """
import os, sys
os.environ["POLARS_MAX_THREADS"] = "2"
import polars as pl
lines, out, how = sys.argv[1:4]
names = %r
frame = pl.scan_csv(f"{lines}/*.txt", separator="\\x1f", has_header=False, quote_char=None,
                    schema={name: pl.String for name in names})
compared = ["ts", "node", "value", "causality"]
if how == "a text":
    winner = pl.concat_str(compared, separator="\\x1f").max().alias("w")
    winners = frame.group_by("target", "field").agg(winner).sort("target", "field")
else:
    winners = frame.sort("target", "field", *compared).group_by("target", "field", maintain_order=True).last()
winners.sink_csv(out, separator="\\x1f", include_header=False, quote_style="never")
""" % COLUMNS


def measure(words, quiet=True):
    """Wall time in seconds, maxrss and RssAnon in MiB."""
    env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(FOLDER, "config"))
    began, anon = time.perf_counter(), [0]
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL if quiet else None)

    def watch():
        while process.returncode is None:
            try:
                with open(f"/proc/{process.pid}/status") as status:
                    kib = [int(line.split()[1]) for line in status if line.startswith("RssAnon")]
                anon[0] = max(anon + kib)
            except OSError:
                pass
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = status
    watcher.join()
    if status:
        sys.exit(f"{words}: status {status}")
    return took, usage.ru_maxrss / 1024, anon[0] / 1024


def cocli(*words):
    return [COCLI, "--data", HOME, *words]


def empty_checkpoint():
    for name in os.listdir(os.path.join(HOME, "checkpoint")):
        os.remove(os.path.join(HOME, "checkpoint", name))


def there(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


def newline_copies(lines):
    os.makedirs(lines)
    journals = [name for name in os.listdir(os.path.join(HOME, "wal")) if "_w" in name]
    for name in journals:
        with open(os.path.join(HOME, "wal", name), "rb") as journal:
            with open(os.path.join(lines, name.replace(".usv", ".txt")), "wb") as copy:
                copy.write(journal.read().replace(b"\x1e", b"\n"))


def full_merge(lines, out):
    rivals = {}
    if there("duckdb"):
        for how in ("struct", "text"):
            rivals[f"DuckDB, by a {how}"] = [sys.executable, "-c", DUCKDB, lines, out, how]
    if there("polars"):
        for how in ("the columns", "a text"):
            rivals[f"Polars, by {how}"] = [sys.executable, "-c", POLARS, lines, out, how]
    results = {}
    for number in range(ROUNDS):
        empty_checkpoint()
        turn = {"cocli compact": measure(cocli("compact", "--no-cards"))}
        for name, words in rivals.items():
            turn[name] = measure(words)
            if name != "DuckDB, by a text":
                os.remove(out)
            else:
                os.replace(out, out + ".kept")
        for name, (took, rss, anon) in turn.items():
            print(f"  round {number}: {name}: {took:.2f} s, maxrss {rss:.0f} MiB, RssAnon {anon:.0f} MiB")
            results.setdefault(name, []).append(took)
    took = {name: statistics.mean(times[1:]) for name, times in results.items()}
    for name in rivals:
        print(f"full merge: ours {took['cocli compact']:.2f} s, {name} {took[name]:.2f} s:"
              f" {took[name] / took['cocli compact']:.1f} times as fast")


def same_winners(kept):
    """Our lines, sorted over all shards, against DuckDB's: `w US target US field`."""
    if not os.path.exists(kept):
        return
    ours = []
    for name in os.listdir(os.path.join(HOME, "checkpoint")):
        if name.endswith(".usv") and name != "odd.usv":
            with open(os.path.join(HOME, "checkpoint", name), "rb") as shard:
                ours += [line for line in shard.read().split(b"\x1e\n") if b"\x1fcompanies/" in line]
    with open(kept, "rb") as file:
        theirs = file.read().splitlines()

    def as_ours(line):
        ts, node, value, causality, target, field = line.split(b"\x1f")
        # Behind the causality stands the check of the record, which is no part of the state.
        return b"\x1f".join((ts, node, target, field, value, causality[:-9]))

    ours.sort()
    theirs = sorted(map(as_ours, theirs))
    if ours != theirs:
        sys.exit(f"the winners differ: ours {len(ours)}, DuckDB's {len(theirs)}")
    print(f"the same {len(ours)} winners as DuckDB, row by row")


def more(count):
    times = []
    for number in range(ROUNDS + 2):
        subprocess.run([GENERATE, HOME, str(count), str(TARGETS), "10", str(RECORDS + number * count)],
                       check=True, stdout=subprocess.DEVNULL)
        times.append(measure(cocli("compact", "--no-cards"))[0])
    times = times[1:]
    print(f"{count} new datagrams onto that: {statistics.median(times) * 1e3:.0f} ms"
          f" ({', '.join(f'{took * 1e3:.0f}' for took in times)})")


def single():
    """On a memory disk, so that a sync costs nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        copy = os.path.join(memory, "home")
        shutil.copytree(HOME, copy)
        single_in(copy)


def single_in(home):
    ours, target = [COCLI, "--data", home], a_target()
    measure([*ours, "set", target, "figure=0"])
    calls = {
        "get": lambda n: [*ours, "get", target, "figure"],
        "set": lambda n: [*ours, "set", target, f"figure={n}"],
        "git --version": lambda n: ["git", "--version"],
        "find, a part of a name": lambda n: [*ours, "find", f"ltd. {n}"],
        "find, mistyped": lambda n: [*ours, "find", f"granitte ltd {n}"],
        "list --where, few found": lambda n: [*ours, "list", "companies", "--where", f"city=Town {n}"],
        "list --where, a fifth of all found": lambda n: [*ours, "list", "companies", "--where", "status=won"],
        "wc -l of the checkpoint": lambda n: ["sh", "-c", f"cat {home}/checkpoint/*.usv | wc -l"],
    }
    times = {name: [] for name in calls}
    env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(FOLDER, "config"))
    for number in range(1, 41):
        for name, words in calls.items():
            began = time.perf_counter()
            subprocess.run(words(number), env=env, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - began)
    for name, all_times in times.items():
        print(f"{name}: median {statistics.median(all_times[1:]) * 1e3:.1f} ms,"
              f" least {min(all_times) * 1e3:.1f} ms")


def a_target():
    names = os.listdir(os.path.join(HOME, "checkpoint"))
    shard = next(name for name in sorted(names) if name[2:3] == "-")
    with open(os.path.join(HOME, "checkpoint", shard), "rb") as file:
        file.seek(os.path.getsize(file.name) // 2)
        return file.read(4096).split(b"\x1e\n")[1].split(b"\x1f")[2].decode()


def settle(text):
    """The home's settings on this machine."""
    with open(os.path.join(HOME, ".cocli", "config.toml"), "w") as config:
        config.write(text)


def archived():
    """The journals into the archive, and zstd itself on the same files, by two threads each."""
    journals = [os.path.join(HOME, "wal", name) for name in os.listdir(os.path.join(HOME, "wal")) if "_w" in name]
    plain = sum(map(os.path.getsize, journals))
    rival = ""
    if shutil.which("zstd"):
        took, rss, _ = measure(["sh", "-c", 'cat "$@" | zstd -q -5 -T2 -o "$0" && sync "$0"', os.path.join(FOLDER, "z"), *journals])
        rival = f"; zstd -5 -T2 {took:.2f} s, {os.path.getsize(os.path.join(FOLDER, 'z')) / 1e6:.0f} MB"
    settle("")
    took, _, anon = measure(cocli("compact", "--no-cards"))
    held = os.path.join(HOME, "archive")
    packed = sum(os.path.getsize(os.path.join(held, name)) for name in os.listdir(held))
    print(f"into the archive: {plain / 1e6:.0f} MB, {took:.2f} s, {packed / 1e6:.0f} MB there, RssAnon {anon:.0f} MiB{rival}")
    empty_checkpoint()
    took, _, anon = measure(cocli("compact", "--no-cards"))
    print(f"full merge from the archive: {took:.2f} s, RssAnon {anon:.0f} MiB")


def main():
    subprocess.run([COCLI, "--data", HOME, "init", "--node", "own", "--no-cards"], check=True,
                   stdout=subprocess.DEVNULL,
                   env=dict(os.environ, XDG_CONFIG_HOME=os.path.join(FOLDER, "config")))
    # The rivals read journals; so that ours do too in every round, they stay.
    settle("[archive]\nafter = 36500\n")
    print(subprocess.run([GENERATE, HOME, str(RECORDS), str(TARGETS)], check=True,
                         capture_output=True).stdout.decode().strip())
    lines, out = os.path.join(FOLDER, "lines"), os.path.join(FOLDER, "out")
    newline_copies(lines)
    full_merge(lines, out)
    same_winners(out + ".kept")
    shutil.rmtree(lines)
    more(10_000)
    single()
    archived()


with tempfile.TemporaryDirectory() as FOLDER:
    HOME = os.path.join(FOLDER, "home")
    main()
