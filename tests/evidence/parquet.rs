//! Parquet, as DuckDB and Spark read it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::folder;
use crate::support::{run, skip};

/// A Python that has `module`: the one that `packaging/setup.sh test` makes, else the system's.
fn python(module: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = root.join("target/python/bin/python");
    let found = [made, PathBuf::from("python3")].into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {module}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skip(&format!("{module} is not installed"));
    }
    found
}

/// Writes the flows of all shipped captures as `flows.jsonl`, `flows.parquet`, and in partitions as `lake`.
fn export_all(path: &dyn Fn(&str) -> String) {
    let names = crate::golden::names();
    for (format, more, file) in [
        ("jsonl", None, path("flows.jsonl")),
        ("parquet", None, path("flows.parquet")),
        ("parquet", Some("--partition"), path("lake")),
    ] {
        let mut arguments = vec!["analyze", "--all-services", "--format", format, "-o", &file];
        arguments.extend(more);
        arguments.extend(names.iter().map(String::as_str));
        assert_eq!(run(&arguments).code, Some(4));
    }
}

/// Compares every value of Parquet with that of JSON Lines, as DuckDB sees them.
const COMPARE: &str = r#"
import datetime, duckdb, json, sys
parquet, jsonl = sys.argv[1:]
found = duckdb.sql(f"SELECT * FROM read_parquet('{parquet}', hive_partitioning=false)")
types = dict(zip(found.columns, map(str, found.types)))
assert types["timestamp"].startswith("TIMESTAMP"), types["timestamp"]
assert types["client.port"] == "BIGINT" and types["tls.established"] == "BOOLEAN"
assert types["handshake.duration_seconds"] == "DOUBLE" and types["tls.client.alpn"] == "VARCHAR[]"
assert types["violations"].startswith("STRUCT(") and types["violations"].endswith("[]"), types["violations"]
nanoseconds = {name: f'epoch_ns("{name}")' for name, kind in types.items() if kind.startswith("TIMESTAMP")}
columns = ", ".join(nanoseconds.get(name, f'"{name}"') for name in found.columns)
rows = duckdb.sql(f"SELECT {columns} FROM read_parquet('{parquet}', hive_partitioning=false)").fetchall()
records = [json.loads(line) for line in open(jsonl, encoding="utf-8")]
assert len(rows) == len(records) > 0, (len(rows), len(records))
key = lambda row: (row["timestamp"], row["capture.source"], row["client.address"], row["client.port"], row["capture.frame.first"])
def of_time(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0")) // 1000 * 1000
for record in records:
    for name in nanoseconds:
        if name in record: record[name] = of_time(record[name])
rows = sorted((dict(zip(found.columns, row)) for row in rows), key=key)
for row, record in zip(rows, sorted(records, key=key)):
    assert set(record) <= set(row), set(record) - set(row)
    for name, value in row.items():
        if name in ("flow.sightings", "flow.translated"):
            assert (value is None) == (name not in record) and len(value or []) == len(record.get(name, [])), name
        else:
            assert value == record.get(name), (name, value, record.get(name))
print(len(rows))
"#;

#[test]
fn duckdb_reads_what_json_lines_say() {
    let Some(python) = python("duckdb") else { return };
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    export_all(&path);
    let recorded = path("recorded.parquet");
    let ran = run(&["report", "--format", "parquet", "-o", &recorded, &path("flows.jsonl")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for parquet in [path("flows.parquet"), recorded, path("lake/*/*/*.parquet")] {
        let output =
            Command::new(&python).args(["-c", COMPARE, &parquet, &path("flows.jsonl")]).output().unwrap();
        assert!(output.status.success(), "{parquet}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // The folders are columns too.
    let query = format!(
        "import duckdb; print(duckdb.sql(\"SELECT count(*), count(DISTINCT date), count(DISTINCT region) FROM \
         read_parquet('{}', hive_partitioning=true) WHERE region = 'eu-west-1'\").fetchall())",
        path("lake/*/*/*.parquet")
    );
    let output = Command::new(&python).args(["-c", &query]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.starts_with("[(") && !said.starts_with("[(0,") && said.trim_end().ends_with(", 1)]"),
        "{said}"
    );
}

/// The same as Spark sees them: the schema it finds, each value of a few kinds of columns, and the partitions.
const COMPARE_BY_SPARK: &str = r#"
import datetime, json, sys
from pyspark.sql import SparkSession
parquet, lake, jsonl = sys.argv[1:]
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
records = [json.loads(line) for line in open(jsonl, encoding="utf-8")]
found = spark.read.parquet(parquet)
types = dict(found.dtypes)
assert types["timestamp"] == "timestamp" and types["client.port"] == "bigint", types
assert types["tls.established"] == "boolean" and types["handshake.duration_seconds"] == "double"
assert types["violations"].startswith("array<struct<"), types["violations"]
names = ["client.address", "client.port", "capture.source", "capture.frame.first", "tls.established", "tls.cipher",
         "tls.client.supported_groups", "handshake.duration_seconds", "violations"]
rows = found.selectExpr("unix_micros(`timestamp`)", *[f"`{name}`" for name in names]).collect()
def of_time(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**6 + int((fraction or "0").ljust(9, "0")) // 1000
seen = [[row[0], *({name: row.asDict(recursive=True)[name] for name in names}.values())] for row in rows]
said = [[of_time(record["timestamp"]), *(record.get(name) for name in names)] for record in records]
assert sorted(map(str, seen)) == sorted(map(str, said)) and len(seen) > 0, (len(seen), len(said))
partitions = spark.read.parquet(lake)
assert partitions.count() == len(records)
assert {"date", "region"} <= set(partitions.columns), partitions.columns
there = partitions.where("region = 'eu-west-1'").count()
assert there == sum(record.get("aws.region") == "eu-west-1" for record in records) > 0, there
"#;

#[test]
fn spark_reads_what_json_lines_say() {
    let Some(python) = python("pyspark") else { return };
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    export_all(&path);
    let files = [path("flows.parquet"), path("lake"), path("flows.jsonl")];
    let output = Command::new(&python).args(["-c", COMPARE_BY_SPARK]).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn partitions_need_a_folder_of_their_own() {
    let folder = folder();
    let lake = folder.path().join("lake");
    let to = lake.to_str().unwrap();
    let arguments = ["analyze", "--format", "parquet", "--partition", "-o", to, "tls10-rsa.pcap"];
    assert_eq!(run(&arguments).code, Some(0));
    assert!(lake.join("date=2026-11-01/region=eu-west-1/part-0.parquet").is_file());
    let ran = run(&arguments);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("not empty"), "{}", ran.stderr);
    let ran = run(&["analyze", "--format", "csv", "--partition", "-o", to, "tls10-rsa.pcap"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(run(&["analyze", "--format", "parquet", "--partition", "tls10-rsa.pcap"]).code, Some(2));
}
