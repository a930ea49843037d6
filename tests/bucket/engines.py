#!/usr/bin/env python3
"""The tables of a snapshot as DuckDB and Polars read them, cell by cell against `cocli list`, `get` and `state`.

usage: tests/bucket/engines.py COCLI SNAPSHOT HOME|CSV

`SNAPSHOT` is the example of that name (cargo build -p cocli-node --example snapshot). Of a CSV (as that of 1,837
listed companies) a home is made, with values of all types and all that is odd besides. Needs `pip install duckdb
polars pytz`.
"""
import collections, datetime, json, os, subprocess, sys, tempfile

import duckdb, polars

COCLI, SNAPSHOT, SOURCE = map(os.path.abspath, sys.argv[1:4])
ENTITIES = ["companies", "people", "notes", "meetings"]
BEHIND = ["_odd", "other", "updated_at", "updated_by"]
KEYS = ["target", "slug", "parent", "id"]

EVERY = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000, 7)]))
NEW = [
    ("companies/odd", "name", "Odd; \x00\x1e\x1f \u202e\U0001f9ff \"'\\\r\n--"),
    ("companies/odd", "reviews_count", "many"), ("companies/odd", "average_rating", "nan"),
    ("companies/odd", "last_enriched", "yesterday"), ("companies/odd", "services", {"a": "b"}),
    ("companies/odd", "domain", ["a", "b"]), ("companies/odd", "own%20key", EVERY),
    ("companies/whole", "name", "Whole"), ("companies/whole", "reviews_count", "9223372036854775807"),
    ("companies/whole", "average_rating", "4.25"), ("companies/whole", "latitude", "-1e-300"),
    ("companies/whole", "last_enriched", "2026-02-18T17:04:05.123456+02:00"),
    ("companies/whole", "enrichment_ttl_days", "30"), ("companies/whole", "email_contexts", {"a@b.c": "front", "": "x"}),
    ("companies/whole", "tags", ["b", "a", "\u00e9", "with, comma"]), ("companies/whole", "tech_stack", []),
    ("companies/whole", "services", ["z", "a", "z", ""]), ("companies/whole", "description", "x" * (8 << 20)),
    ("companies/whole/notes/2026-a", "title", "A note"), ("companies/whole/notes/2026-a", "content", "Line\nline"),
    ("companies/whole/notes/2026-a", "timestamp", "2026-02-18T17:04:05Z"),
    ("companies/whole/meetings/2026-b", "title", "A meeting"), ("companies/gone", "name", "Gone"),
    ("companies/gone/notes/1", "title", "Gone with it"), ("people/ann", "name", "Ann"), ("people/ann", "phone", "0301234567"),
]


def cocli(home, *words, stdin=None):
    run = subprocess.run([COCLI, "--data", home, *words], input=stdin, capture_output=True)
    if run.returncode:
        sys.exit(f"cocli {words}: {run.stderr.decode()}")
    return run.stdout


def make(home, csv):
    cocli(home, "init", "--node", "own", "--no-cards")
    cocli(home, "import", "csv", csv)
    lines = [json.dumps({"target": target, "field": field, "value": value}) for target, field, value in NEW]
    cocli(home, "set", "--from", "-", stdin="\n".join(lines).encode())
    cocli(home, "rm", "companies/gone")


def duckdb_rows(folder, table):
    """Rows as dicts; times as microseconds since 1970."""
    db = duckdb.connect()
    files = f"read_parquet('{folder}/{table}/*.parquet')"
    types = dict((name, kind) for name, kind, *_ in db.sql(f"describe select * from {files}").fetchall())
    columns = [f'epoch_us("{name}") as "{name}"' if "TIME ZONE" in kind else f'"{name}"' for name, kind in types.items()]
    rows = db.sql(f"select {', '.join(columns)} from {files}").fetchall()
    return [dict(zip(types, row)) for row in rows], types


def polars_rows(folder, table):
    frame = polars.read_parquet(f"{folder}/{table}/*.parquet")
    types, pairs = {}, []
    for name, kind in frame.schema.items():
        if kind == polars.String:
            types[name] = "VARCHAR"
        elif kind == polars.Int64:
            types[name] = "BIGINT"
        elif kind == polars.Float64:
            types[name] = "DOUBLE"
        elif kind == polars.Datetime("us", "UTC"):
            types[name] = "TIMESTAMP WITH TIME ZONE"
            frame = frame.with_columns(polars.col(name).dt.epoch("us"))
        elif kind == polars.List(polars.String):
            types[name] = "VARCHAR[]"
        else:
            types[name] = "MAP(VARCHAR, VARCHAR)"
            pairs.append(name)
    rows = frame.to_dicts()
    for row in rows:
        for name in pairs:
            if isinstance(row[name], list):  # before it had a type for maps
                row[name] = {pair["key"]: pair["value"] for pair in row[name]}
    return rows, types


def micros(text):
    since = datetime.datetime.fromisoformat(text) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(microseconds=1)


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


READ = {"VARCHAR": str, "BIGINT": int, "DOUBLE": float, "VARCHAR[]": list, "MAP(VARCHAR, VARCHAR)": dict,
        "TIMESTAMP WITH TIME ZONE": micros}


def check_entity(row, types, fields):
    """Every field is in its column, odd, or other; and nothing else is."""
    seen = collections.Counter()
    odd, other = row["_odd"] or {}, row["other"] or {}
    for name, value in fields.items():
        if name == "slug" and "slug" in row:
            assert row["slug"] == value or odd["slug"] == value, row
        elif name not in types or name in KEYS + BEHIND:
            assert other[name] == text_of(value), (row["target"], name)
            seen["other"] += 1
        elif row[name] is None:
            assert odd[name] == text_of(value), (row["target"], name)
            seen["odd"] += 1
        else:
            assert row[name] == READ[types[name]](value), (row["target"], name, row[name])
            seen["cells"] += 1
    assert len(other) == seen["other"] and len(odd) == seen["odd"], row
    full = [name for name in types if name not in KEYS + BEHIND and row[name] is not None]
    assert len(full) == seen["cells"], (row["target"], full)
    return seen


def check(home, folder, rows_of):
    told = {}
    for collection in ENTITIES[:2]:
        for line in cocli(home, "list", collection, "--json").splitlines():
            entity = json.loads(line)
            told[entity["target"]] = entity["fields"]
    state = [line.decode().split("\x1f") for line in cocli(home, "state").split(b"\x1e\n")[:-1]]
    newest = {}
    for at, node, target, *_ in state:
        newest[target] = max(newest.get(target, ("", "")), (at, node))
    seen, counts = collections.Counter(), {}
    for table in ENTITIES:
        rows, types = rows_of(folder, table)
        counts[table] = len(rows)
        assert [row["target"] for row in rows] == sorted(row["target"] for row in rows)
        if table in ENTITIES[:2]:
            assert [row["target"] for row in rows] == sorted(t for t in told if t.startswith(table + "/"))
        for row in rows:
            fields = told.get(row["target"])
            if fields is None:
                fields = json.loads(cocli(home, "get", row["target"], "--json"))
                assert row["target"].startswith(row["parent"] + "/") and row["target"].endswith("/" + row["id"]), row
            seen += check_entity(row, types, fields)
            at, node = newest[row["target"]]
            assert (row["updated_at"], row["updated_by"]) == (micros(at), node), row["target"]
    rows, types = rows_of(folder, "datagrams")
    assert types["at"] == "TIMESTAMP WITH TIME ZONE", types
    assert len(rows) == len(state), (len(rows), len(state))
    for row, (at, node, target, field, value, causality) in zip(rows, state):
        found = [row["at"], row["node"], row["target"], row["field"], row["value"], row["causality"]]
        value = None if value == "null" else value
        assert found == [micros(at), node, target, field, value, causality or None], found
    return counts, len(rows), dict(seen)


def check_queries(folder, home):
    """A question or two as people ask them, by both."""
    listed = [json.loads(line)["fields"] for line in cocli(home, "list", "companies", "--json").splitlines()]
    tags = collections.Counter(tag for fields in listed for tag in fields.get("tags", []))
    files = f"read_parquet('{folder}/companies/*.parquet')"
    found = duckdb.sql(f"select t, count(*) from (select unnest(tags) t from {files}) group by t").fetchall()
    assert dict(found) == tags
    frame = polars.scan_parquet(f"{folder}/companies/*.parquet")
    found = frame.select(polars.col("tags").explode().drop_nulls().value_counts()).collect().to_series().to_list()
    assert {pair["tags"]: pair["count"] for pair in found} == tags
    number = sum(int(f["reviews_count"]) for f in listed if f.get("reviews_count", "").isdigit())
    assert duckdb.sql(f"select coalesce(sum(reviews_count), 0)::hugeint from {files}").fetchall()[0][0] == number
    assert frame.select(polars.col("reviews_count").sum()).collect().item() == number
    one = duckdb.sql(f"select target from {files} order by target limit 1 offset 7").fetchall()[0][0]
    fields = json.loads(cocli(home, "get", one, "--json"))
    assert duckdb.sql(f"select name from {files} where target = '{one}'").fetchall()[0][0] == fields["name"]
    assert frame.filter(polars.col("target") == one).select("name").collect().item() == fields["name"]
    return len(tags)


def main(scratch):
    home, folder = SOURCE, os.path.join(scratch, "out")
    if not os.path.isdir(SOURCE):
        home = os.path.join(scratch, "home")
        make(home, SOURCE)
    subprocess.run([SNAPSHOT, home, folder], check=True, stdout=subprocess.DEVNULL)
    for name, rows_of in (("DuckDB", duckdb_rows), ("Polars", polars_rows)):
        counts, winners, seen = check(home, folder, rows_of)
        print(f"{name}: {counts}, {winners} datagrams; equal {seen}", flush=True)
    print(f"both: {check_queries(folder, home)} tags counted, sums and single companies equal")
    pairs = duckdb.sql(f"select key::varchar, value::varchar from parquet_kv_metadata('{folder}/companies/part-0.parquet')").fetchall()
    assert {key for key, _ in pairs} >= {"cocli.version", "cocli.rules", "cocli.digest", "cocli.manifest"}, pairs


with tempfile.TemporaryDirectory() as scratch:
    os.environ["XDG_CONFIG_HOME"] = os.path.join(scratch, "config")
    main(scratch)
