#!/usr/bin/env python3
"""How long a CSV of 1 GB takes to come in, and how much memory; and imports that are killed.

    tests/bench/import.py COCLI [MB [ROWS [KILLS]]]

A dry run of MB, and of a table with one cell of MB; ROWS of the first for real, a second time, and killed KILLS times
at random moments before it comes to its end, which is that of one that nobody killed."""
import json, os, random, shutil, subprocess, sys, tempfile, time
from pathlib import Path

binary = os.path.abspath(sys.argv[1])
megabytes, rows, kills = (int(sys.argv[at]) if len(sys.argv) > at else other for at, other in ((2, 1000), (3, 100_000), (4, 20)))
root = Path(tempfile.mkdtemp(prefix="cocli-import-"))
environment = dict(os.environ, XDG_CONFIG_HOME=str(root / "config"), HOME=str(root))
HEAD = "name,domain,email,phone,city,tags,description\n"


def row(n):
    phone = f"+1 {201 + n % 700} {200 + n // 700 % 700} {n % 10000:04}"
    return f'Company {n},c{n}.example,info@c{n}.example,{phone},City {n % 5000},"lead;t{n % 50}","{"They make things, and said so. " * 25}{n}"\n'


def table(path, bytes_wanted=None, rows=None):
    """As many rows as make so many bytes."""
    written, n = 0, 0
    with open(path, "w") as file:
        file.write(HEAD)
        while (written < bytes_wanted) if rows is None else (n < rows):
            some = "".join(map(row, range(n, n + 1000 if rows is None else min(n + 1000, rows))))
            file.write(some)
            written, n = written + len(some), n + 1000
    return n


def one_cell(path, bytes_wanted):
    with open(path, "w") as file:
        file.write(HEAD + 'Acme,acme.example,,,,,"')
        for _ in range(bytes_wanted >> 20):
            file.write("x" * (1 << 20))
        file.write('"\n')


def home(name):
    path = root / name
    run("init", str(path), "--node", "n1", "--no-cards")
    return str(path)


def run(*words):
    done = subprocess.run([binary, "--json", *words], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr}{done.stdout[-500:]}")
    return done.stdout


def measured(*words):
    """Seconds, MiB at most, exit code, what it said."""
    began = time.monotonic()
    with open(root / "out", "w+") as out, open(root / "err", "w+") as err:
        process = subprocess.Popen([binary, "--json", *words], env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        out.seek(0), err.seek(0)
        return took, usage.ru_maxrss / 1024, process.returncode, out.read(), err.read()


def report(what, took, peak, said):
    print(f"{what}: {took:.1f} s, peak {peak:.0f} MiB, {said}", flush=True)


def digest(path):
    return json.loads(run("--data", path, "state", "--digest"))["digest"]


def values(path):
    """What the state says, without when and from where: two imports write at two times."""
    out = subprocess.run([binary, "--json", "--data", path, "list", "companies"], env=environment, capture_output=True).stdout
    return hash(out)


def main():
    big, cell, some = root / "big.csv", root / "cell.csv", root / "some.csv"
    count = table(big, megabytes << 20)
    one = home("one")
    took, peak, code, out, err = measured("--data", one, "import", "csv", str(big), "--dry-run")
    report(f"dry run of {big.stat().st_size >> 20} MiB, {count} rows", took, peak, err.strip() or f"{json.loads(out)['written']} values")
    big.unlink()
    one_cell(cell, megabytes << 20)
    took, peak, code, out, err = measured("--data", one, "import", "csv", str(cell))
    report(f"a table with one cell of {megabytes} MiB", took, peak, f"exit {code}: {err.strip()}")
    if code == 0 and json.loads(out)["added"]:
        sys.exit("it should be left out")
    cell.unlink()
    table(some, rows=rows)
    took, peak, code, out, err = measured("--data", one, "import", "csv", str(some))
    report(f"{rows} rows, {some.stat().st_size >> 20} MiB", took, peak, f"{json.loads(out)['written']} values")
    whole, expected = took, values(one)
    took, peak, code, out, err = measured("--data", one, "import", "csv", str(some))
    report("the same again", took, peak, f"{json.loads(out)['written']} values")
    dice, two = random.Random(1), home("two")
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen([binary, "--json", "--data", two, "import", "csv", str(some)], env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.random() * whole * 0.7)
        process.kill()
        killed += process.wait() != 0
    run("--data", two, "import", "csv", str(some))
    same = values(two) == expected
    run("--data", two, "doctor")
    print(f"{killed} of {kills} imports killed, one more to the end: {'the same state' if same else 'ANOTHER STATE'}, digest {digest(two)[:16]}")
    shutil.rmtree(root)
    sys.exit(0 if same else 1)


main()
