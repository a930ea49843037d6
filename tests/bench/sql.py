#!/usr/bin/env python3
"""Grouping a million companies in SQL: `cocli sql` and plain DuckDB on the same Parquet by turns, whole processes.

usage: tests/bench/sql.py COCLI GENERATE [COMPANIES [ROUNDS]]        (.ci/long sql builds both)

The tables are made by a compaction beforehand, as a daemon has it done; what that and the first question take is told
too. The first round is dropped. The rows of both, and of `cocli list`, are compared. Then the same with a change behind
the checkpoint. Needs DuckDB's program (`pip install duckdb-cli`).
"""
import collections, csv, glob, io, json, os, statistics, subprocess, sys, tempfile, time

COCLI, GENERATE = map(os.path.abspath, sys.argv[1:3])
COMPANIES = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 6
# Ten records a company, of six fields: each has some.
RECORDS = 10 * COMPANIES
QUERIES = [
    "select city, count(*) as n from companies group by city order by n desc, city",
    "select count(*) as n, count(distinct email) as e from companies where name is not null",
    "select field, count(*) as n from datagrams group by field order by field",
    "select count(*) as n, sum(length(emails)) as l from leads",
]


def run(*words):
    began = time.perf_counter()
    ran = subprocess.run(words, capture_output=True, text=True, env=ENV)
    if ran.returncode:
        sys.exit(f"{words[:8]}: {ran.stderr}")
    return time.perf_counter() - began, ran.stdout


def cocli(*words):
    return run(COCLI, "--data", HOME, *words)


def plain(query):
    """The same question to DuckDB alone, over the files of the base."""
    files = lambda table: f"read_parquet('{HOME}/cache/tables/*-{table}.parquet')"
    leads = (f"(select string_agg(distinct email, '; ' order by email) as emails from {files('addresses')} "
             "group by company)")
    for name, rows in [("leads", leads), ("companies", files("companies")), ("datagrams", files("datagrams"))]:
        query = query.replace(f"from {name}", f"from {rows}")
    return run("duckdb", "-no-init", "-csv", "-nullvalue", "", "-c", query)


def rounds(title, query, ways):
    took, rows = collections.defaultdict(list), {}
    for number in range(ROUNDS):
        for name, way in ways:
            seconds, rows[name] = way(query)
            if number:
                took[name].append(seconds)
    told = ", ".join(f"{name} {statistics.median(all):.3f} s" for name, all in took.items())
    print(f"{title}: {told}", flush=True)
    return rows


with tempfile.TemporaryDirectory() as folder:
    HOME = os.path.join(folder, "home")
    ENV = dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config"))
    run(COCLI, "init", HOME, "--node", "own", "--no-cards")
    run(GENERATE, HOME, str(RECORDS), str(COMPANIES))
    print(f"compact, nobody asked in SQL yet: {cocli('compact', '--no-cards')[0]:.2f} s")
    print(f"the first question, which makes the tables: {cocli('sql', 'select 1')[0]:.2f} s")
    print(f"bytes of tables: {sum(map(os.path.getsize, glob.glob(HOME + '/cache/tables/*.parquet'))):,}")
    ask = lambda query: cocli("sql", "--format", "csv", query)
    if glob.glob(HOME + "/cache/tables/*-touched.parquet"):
        sys.exit("something stands above the base: plain DuckDB would count it twice")
    for query in QUERIES:
        rows = rounds(query, query, [("cocli sql", ask), ("duckdb", plain)])
        if rows["cocli sql"] != rows["duckdb"]:
            sys.exit(f"other rows: {query}")
    cities = collections.Counter()
    for line in cocli("list", "companies", "--json")[1].splitlines():
        cities[json.loads(line)["fields"].get("city") or ""] += 1
    asked = {row["city"]: int(row["n"]) for row in csv.DictReader(io.StringIO(ask(QUERIES[0])[1]))}
    if asked != {str(city): count for city, count in cities.items()}:
        sys.exit("other cities than `cocli list` has")
    some = json.loads(cocli("list", "companies", "--json")[1].splitlines()[0])["target"]
    cocli("set", some, "city=Behind")
    rounds("behind a change: " + QUERIES[0], QUERIES[0], [("cocli sql", ask)])

    def changed(query):
        """What is asked right behind a write."""
        cocli("set", some, f"city=Behind {time.perf_counter()}")
        return ask(query)

    rounds("right behind each of several: " + QUERIES[0], QUERIES[0], [("cocli sql", changed)])
    print(f"compact with tables in use: {cocli('compact', '--no-cards')[0]:.2f} s")
