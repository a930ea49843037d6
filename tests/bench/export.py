#!/usr/bin/env python3
"""Leads of a million targets as CSV: `cocli export leads`, and DuckDB from Parquet of the same home.

usage: tests/bench/export.py COCLI GENERATE SNAPSHOT [TARGETS [ROUNDS]]        (.ci/long export builds all three)

Ten values a target; every eighth is a person of a company, every fifth company has no address of its own. By turns, the first
round dropped. DuckDB has two threads and as much memory as it wants; once it sorts by target, as ours does, and once
it writes in whatever order. The rows of all three are compared. Peak memory is that of the process (`wait4`), which for
DuckDB includes Python. Fails where rows differ. Needs `pip install duckdb`, and about 1.5 GB below $TMPDIR for a million.
"""
import csv, os, shutil, statistics, subprocess, sys, tempfile, time

COCLI, GENERATE, SNAPSHOT = map(os.path.abspath, sys.argv[1:4])
TARGETS = int(sys.argv[4]) if len(sys.argv) > 4 else 1_000_000
ROUNDS = int(sys.argv[5]) if len(sys.argv) > 5 else 4

DUCKDB = """
import duckdb, sys
tables, out, order = sys.argv[1:4]
db = duckdb.connect()
db.execute("set threads = 2")
if not order:
    db.execute("set preserve_insertion_order = false")
db.execute(f'''copy (
  with companies as (from '{tables}/companies/*.parquet'), people as (from '{tables}/people/*.parquet'),
  of_people as (select unnest(list_distinct(list_append(coalesce(companies, []), company))) target,
                       list_append(coalesce(all_emails, []), email) emails from people),
  single as (select target, lower(trim(unnest(list_append(coalesce(all_emails, []), email)))) email from companies
             union all select target, lower(trim(unnest(emails))) from of_people),
  joined as (select target, string_agg(distinct email, '; ' order by email) emails from single
             where contains(email, '@') group by target)
  select coalesce(nullif(name, ''), slug) company, nullif(domain, '') "domain", emails,
    coalesce(nullif(other['phone'], ''), nullif(phone_1, ''), nullif(phone_number, ''), nullif(phone_from_website, ''), all_phones[1]) phone,
    coalesce(nullif(website_url, ''), nullif(domain, '')) website, nullif(city, '') city, nullif(state, '') state,
    array_to_string(categories, '; ') categories, array_to_string(services, '; ') services,
    array_to_string(products, '; ') products, array_to_string(tags, '; ') tags,
    coalesce(nullif(other['gmb_url'], ''),
      'https://www.google.com/maps/search/?api=1&query=google&query_place_id=' || nullif(place_id, '')) gmb_url,
    average_rating rating, reviews_count reviews
  from companies join joined using (target) {order}) to '{out}' (format csv, header true)''')
"""


def measure(words):
    """Wall time in seconds, peak resident memory in MiB."""
    env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(FOLDER, "config"))
    began = time.perf_counter()
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)[:200]}: {told}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def rows(path):
    """Hashes of rows, sorted: a million rows of text are too much to hold twice."""
    with open(path, newline="") as file:
        table = csv.reader(file)
        yield next(table)
        number = lambda text: float(text) if text else None
        yield sorted(hash((*row[:12], number(row[12]), number(row[13]))) for row in table)


def main():
    home, tables = os.path.join(FOLDER, "home"), os.path.join(FOLDER, "tables")
    measure([COCLI, "init", home, "--node", "laptop", "--no-cards"])
    measure([GENERATE, home, str(TARGETS * 10), str(TARGETS), "10", "0", "crm"])
    measure([COCLI, "--data", home, "compact"])
    measure([SNAPSHOT, home, tables])
    out = {name: os.path.join(FOLDER, f"{name}.csv") for name in ("cocli", "duckdb, sorted", "duckdb, in any order")}
    words = {
        "cocli": [COCLI, "--data", home, "export", "leads", "--output", out["cocli"]],
        "duckdb, sorted": [sys.executable, "-c", DUCKDB, tables, out["duckdb, sorted"], "order by target"],
        "duckdb, in any order": [sys.executable, "-c", DUCKDB, tables, out["duckdb, in any order"], ""],
    }
    empty = [measure([sys.executable, "-c", "import duckdb; duckdb.connect()"]) for _ in range(ROUNDS)]
    took = {name: [] for name in words}
    for round_ in range(ROUNDS):
        for name in words:
            one = measure(words[name])
            if round_:
                took[name].append(one)
    ours = statistics.median(seconds for seconds, _ in took["cocli"])
    print(f"{TARGETS} targets; python that opens DuckDB alone: {statistics.median(s for s, _ in empty[1:] or empty):.2f} s")
    for name, ones in took.items():
        seconds, memory = statistics.median(s for s, _ in ones), max(m for _, m in ones)
        print(f"{name:22} {seconds:6.2f} s  {seconds / ours:5.2f} times ours  peak {memory:5.0f} MiB")
    first, *others = [list(rows(path)) for path in out.values()]
    if any(first != other for other in others):
        sys.exit("the rows differ")
    print(f"{len(first[1])} rows, the same in all three")


if __name__ == "__main__":
    FOLDER = tempfile.mkdtemp(prefix="cocli-export-")
    try:
        main()
    finally:
        shutil.rmtree(FOLDER)
