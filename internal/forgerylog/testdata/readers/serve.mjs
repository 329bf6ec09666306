// Answers the HTTP interface of ClickHouse at a port with chdb, one statement at a time:
//
//   node serve.mjs PORT DIRECTORY

import { createServer } from "node:http";
import { writeFile } from "node:fs/promises";
import { Session } from "chdb";

const [port, directory] = process.argv.slice(2);
const session = new Session(`${directory}/data`);
const rows = async (sql) => (await session.queryAsync(sql, { format: "JSONCompactEachRow" })).text().trim().split("\n").filter(Boolean).map((l) => JSON.parse(l));

// insert puts a body into a table: chdb reads it from a file.
async function insert(sql, body) {
  const [, table, columns] = sql.match(/^INSERT INTO (\S+) \((.*)\) FORMAT RowBinary$/);
  const types = new Map((await rows(`DESCRIBE TABLE ${table}`)).map((r) => [r[0], r[1]]));
  const structure = columns.split(", ").map((c) => `${c} ${types.get(c)}`).join(", ");
  const path = `${directory}/body`;
  await writeFile(path, body);
  await session.queryAsync(`INSERT INTO ${table} (${columns}) SELECT * FROM file('${path}', 'RowBinary', '${structure}')`);
}

async function answer(url, body) {
  await session.queryAsync(`USE ${url.searchParams.get("database") ?? "default"}`);
  const sql = url.searchParams.get("query");
  if (sql) {
    await insert(sql, body);
    return "";
  }
  const text = body.toString();
  const select = text.replace(/ FORMAT RowBinary$/, "");
  const result = await session.queryAsync(select, { format: "RowBinary" });
  return text === select ? "" : Buffer.from(result.bytes());
}

let last = Promise.resolve();
createServer((request, response) => {
  const chunks = [];
  request.on("data", (c) => chunks.push(c));
  request.on("end", () => {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname === "/ping") return response.end("Ok.\n");
    last = last.then(() => answer(url, Buffer.concat(chunks))).then(
      (a) => response.end(a),
      (e) => { response.statusCode = 500; response.end(String(e.message).replace(/^.*?Code: /s, "Code: ")); },
    );
  });
}).listen(Number(port), "127.0.0.1");
