// DuckDB as a contestant: reads one JSON line {"sql": …} after the other, answers with {"seconds", "rows"} or {"error"}.
// Usage: node duckdb.cjs MODULES DATABASE, where MODULES is the folder that holds node_modules.
'use strict';

const { createRequire } = require('node:module');
const readline = require('node:readline');
const [modules, database] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(modules + '/')('@duckdb/node-api');

async function main() {
  const connection = await (await DuckDBInstance.create(database)).connect();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      const start = process.hrtime.bigint();
      const result = await connection.runAndReadAll(JSON.parse(line).sql);
      answer = { seconds: Number(process.hrtime.bigint() - start) / 1e9, rows: result.getRowsJson() };
    } catch (error) {
      answer = { error: String(error.message || error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

main();
