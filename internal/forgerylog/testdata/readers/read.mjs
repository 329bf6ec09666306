// Reads Parquet files with readers of others. Standard input is {"files": [...],
// "statements": [...]}, standard output an object with the answers of DuckDB to the
// statements, and for each reader the types of columns and all rows as texts, times as
// nanoseconds.
import { readFile } from "node:fs/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { tableFromIPC } from "apache-arrow";
import { query } from "chdb";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { readParquet } from "parquet-wasm/node";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { files, statements } = JSON.parse(input);

async function duckdb() {
  const db = await (await DuckDBInstance.create(":memory:")).connect();
  const log = `read_parquet([${files.map((f) => `'${f}'`)}], hive_partitioning = false)`;
  const types = await (await db.run(`DESCRIBE SELECT * FROM ${log}`)).getRowsJson();
  const rows = await (await db.run(`SELECT * REPLACE (epoch_ns(ts) AS ts) FROM ${log} ORDER BY seq`)).getRowsJson();
  const answers = [];
  for (const s of statements ?? []) answers.push((await (await db.run(s)).getRowsJson()).map((r) => r.map(String)));
  return [{ types: Object.fromEntries(types.map((t) => [t[0], t[1]])), columns: types.map((t) => t[0]), rows: rows.map((r) => r.map(String)) }, answers];
}

async function hyparquet() {
  const types = {}, rows = [];
  let columns = [];
  for (const path of files) {
    const file = await asyncBufferFromFile(path);
    const schema = parquetSchema(await parquetMetadataAsync(file)).children.map((c) => c.element);
    columns = schema.map((c) => c.name);
    for (const c of schema) types[c.name] = c.logical_type?.type ?? c.type;
    // As numbers, because a Date has milliseconds only.
    const parsers = { timestampFromNanoseconds: (ns) => ns };
    for (const r of await parquetReadObjects({ file, compressors, parsers })) rows.push(columns.map((c) => String(r[c])));
  }
  return { types, columns, rows };
}

async function wasm() {
  const types = {}, rows = [];
  let columns = [];
  for (const path of files) {
    const table = tableFromIPC(readParquet(new Uint8Array(await readFile(path))).intoIPCStream());
    columns = table.schema.fields.map((f) => f.name);
    for (const f of table.schema.fields) types[f.name] = String(f.type);
    for (const batch of table.batches) {
      // get gives the time as milliseconds.
      const cell = (c, i) => (c === "ts" ? batch.getChild(c).data[0].values[i] : batch.getChild(c).get(i));
      for (let i = 0; i < batch.numRows; i++) rows.push(columns.map((c) => String(cell(c, i))));
    }
  }
  return { types, columns, rows };
}

function clickhouse() {
  const types = {}, rows = [];
  let columns = [];
  // Else the directory date= becomes a column.
  const ask = (sql) => JSON.parse(query(`${sql} SETTINGS use_hive_partitioning = 0`, "JSONCompact")).data;
  for (const path of files) {
    const described = ask(`DESCRIBE file('${path}', Parquet)`);
    columns = described.map((c) => c[0]);
    for (const c of described) types[c[0]] = c[1];
    // As text, because JSON has no 64-bit integers; times as numbers.
    const cells = columns.map((c) => (c === "ts" ? "toString(toUnixTimestamp64Nano(ts))" : `toString(${c})`));
    rows.push(...ask(`SELECT ${cells.join(", ")} FROM file('${path}', Parquet) ORDER BY seq`));
  }
  return { types, columns, rows };
}

const [read, answers] = await duckdb();
const readers = { duckdb: read, hyparquet: await hyparquet(), "parquet-wasm": await wasm(), clickhouse: clickhouse() };
console.log(JSON.stringify({ answers, readers }));
