// Asks DuckDB questions about Parquet files, each on a line of standard input as
// {"files": [...], "prepare": ["..."], "sql": "..."}, and answers with a line of JSON: seconds of
// processor and wall time, without those of prepare, and the rows. $ts stands for the time as
// nanoseconds.
import { createInterface } from "node:readline";
import { DuckDBInstance } from "@duckdb/node-api";

const db = await (await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "2GB" })).connect();
for await (const line of createInterface({ input: process.stdin })) {
  const { files, prepare = [], sql } = JSON.parse(line);
  const list = "read_parquet([" + files.map((f) => `'${f}'`).join(", ") + "])";
  const type = (await (await db.run(`DESCRIBE SELECT ts FROM read_parquet('${files[0]}')`)).getRowsJson())[0][1];
  const ts = type === "BIGINT" ? "ts" : "epoch_ns(ts)";
  const statement = (text) => db.run(text.replaceAll("$log", list).replaceAll("$ts", ts));
  for (const text of prepare) await statement(text);
  const before = process.cpuUsage(), began = performance.now();
  const rows = await (await statement(sql)).getRowsJson();
  const used = process.cpuUsage(before), wall = (performance.now() - began) / 1000;
  console.log(JSON.stringify({
    cpu: (used.user + used.system) / 1e6, wall, memory: process.resourceUsage().maxRSS * 1024,
    rows: rows.map((r) => r.map(String)), version: (await (await db.run("SELECT version()")).getRowsJson())[0][0],
  }));
}
