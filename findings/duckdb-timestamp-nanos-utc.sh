#!/usr/bin/env bash
# DuckDB 1.5.6 reads a Parquet timestamp in nanoseconds exactly when it is local
# time, and cuts it to microseconds when it is adjusted to UTC.
#
# Expected: isAdjustedToUTC says how to show the value, not how much of it there is.
# Seen:     TIMESTAMP(NANOS, isAdjustedToUTC=false) becomes TIMESTAMP_NS, all nine
#           digits; with isAdjustedToUTC=true it becomes TIMESTAMP WITH TIME ZONE,
#           which has six digits, and the rest is gone without a word.
# Matters:  to who orders or joins by such a column: different times become equal.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit @duckdb/node-api@1.5.6-r.1 parquet-wasm@0.8.0 apache-arrow@21.2.0 || exit 2
cat >write.mjs <<'END'
// Writes one row with the same nanosecond as local time and as UTC.
import { writeFileSync } from "node:fs";
import { Table, makeData, makeVector, TimestampNanosecond, tableToIPC } from "apache-arrow";
import { Table as WasmTable, writeParquet } from "parquet-wasm";
const column = (zone) => makeVector(makeData({
  type: new TimestampNanosecond(zone), length: 1, data: BigInt64Array.of(1700000000123456789n),
}));
const table = new Table({ local: column(null), utc: column("UTC") });
writeFileSync("t.parquet", writeParquet(WasmTable.fromIPCStream(tableToIPC(table, "stream"))));
END
cat >read.mjs <<'END'
import { DuckDBInstance } from "@duckdb/node-api";
const db = await (await DuckDBInstance.create()).connect();
const rows = async (sql) => (await db.runAndReadAll(sql)).getRowsJson();
console.log((await rows("select version()"))[0][0]);
for (const [name, type] of await rows("select name, logical_type from parquet_schema('t.parquet') where type = 'INT64' order by name"))
  console.log(`${name}: ${type}`);
console.log((await rows("select typeof(local) || ' ' || epoch_ns(local) from 't.parquet'"))[0][0]);
console.log((await rows("select typeof(utc) || ' ' || epoch_ns(utc) from 't.parquet'"))[0][0]);
END
node write.mjs
node read.mjs >seen
{ read -r version; read -r schema1; read -r schema2; read -r local; read -r utc; } <seen

echo "DuckDB $version reading"
echo "  $schema1"
echo "  $schema2"
echo "expected: 1700000000123456789 in both"
echo "seen:     local: $local"
echo "          utc:   $utc"
[ "$local" = 'TIMESTAMP_NS 1700000000123456789' ] && [ "$utc" = 'TIMESTAMP WITH TIME ZONE 1700000000123456000' ]
