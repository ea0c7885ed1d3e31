/** The embedded store: rows of 600 bytes per second, each on disk when counted; wall-clock time, as waiting for the disk is what it is about. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outbox } from '../../nodes/kit/outbox';
import { defaultDriver, openSqlite, type Sqlite, type SqliteDriver } from '../../nodes/kit/store/sqlite';
import { openStateStore } from '../../nodes/kit/store/state-store';

export const name = 'store: rows per second, on disk when counted (synchronous=FULL), against one commit per row';

const ROUNDS = 3;
const payload = 'x'.repeat(600);

interface Case {
  title: string;
  rows: number;
  work: (folder: string, driver: SqliteDriver, rows: number) => Promise<void> | void;
}

const cases: Case[] = [
  { title: 'one commit per row', rows: 1000, work: inTransactionsOf(1) },
  { title: 'transactions of 20 rows', rows: 10_000, work: inTransactionsOf(20) },
  { title: 'transactions of 100 rows', rows: 20_000, work: inTransactionsOf(100) },
  { title: 'StateStore.write, 2,000 callers at a time', rows: 10_000, work: grouped },
  { title: 'outbox: put one by one, 2,000 callers at a time, and drain', rows: 10_000, work: outbox(1) },
  { title: 'outbox: put by 100, and drain', rows: 20_000, work: outbox(100) },
];

export async function run(): Promise<{ case: string; figure: string; ratio?: number }[]> {
  const results: { case: string; figure: string; ratio?: number }[] = [];
  for (const driver of new Set<SqliteDriver>([defaultDriver(), 'node-sqlite3-wasm'])) {
    const speeds = cases.map(() => 0);
    for (let round = 0; round < ROUNDS; round++)
      for (const [nth, each] of cases.entries()) speeds[nth] = Math.max(speeds[nth]!, await speed(each, driver));
    for (const [nth, { title }] of cases.entries())
      results.push({ case: `${driver}, ${title}`, figure: `${Math.round(speeds[nth]!).toLocaleString('en')} rows/s`, ratio: speeds[nth]! / speeds[0]! });
  }
  return results;
}

async function speed({ rows, work }: Case, driver: SqliteDriver): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'store-bench-'));
  // The store's timers alone would not keep the process from ending.
  const alive = setInterval(() => undefined, 1000);
  try {
    const start = performance.now();
    await work(folder, driver, rows);
    return rows / ((performance.now() - start) / 1000);
  } finally {
    clearInterval(alive);
    rmSync(folder, { recursive: true, force: true });
  }
}

function inTransactionsOf(size: number): Case['work'] {
  return (folder, driver, rows) => {
    const database = openSqlite(join(folder, 'a.sqlite'), { driver });
    database.exec('CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)');
    for (let first = 0; first < rows; first += size)
      database.transaction(() => {
        for (let n = first; n < first + size; n++) insert(database, n);
      });
    database.close();
  };
}

const insert = (database: Sqlite, n: number): void => {
  database.run('INSERT INTO t VALUES (?, ?)', [`event ${n}`, payload]);
};

async function grouped(folder: string, driver: SqliteDriver, rows: number): Promise<void> {
  const store = openStateStore(folder, { driver });
  await store.write((database) => database.exec('CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)'));
  await callers(2000, rows, (n) => store.write((database) => insert(database, n)));
  store.release();
}

function outbox(size: number): Case['work'] {
  return async (folder, driver, rows) => {
    const store = openStateStore(folder, { driver });
    const queue = new Outbox(store, { name: 'bench', maxItems: rows, maxBytes: 1e9, whenFull: 'refuse-new', batchSize: 500 });
    let left = rows;
    const drained = new Promise<void>((resolve) =>
      queue.drain((batch) => {
        if ((left -= batch.length) === 0) resolve();
        return Promise.resolve(batch.map(() => 'delivered'));
      }),
    );
    await callers(size === 1 ? 2000 : 20, rows / size, (call) =>
      queue.put(Array.from({ length: size }, (_, n) => ({ key: `camera ${n % 50}`, id: `event ${call} ${n}`, payload }))),
    );
    await drained;
    await queue.close();
    store.release();
  };
}

/** Calls 0..count-1, so many at a time. */
async function callers(atATime: number, count: number, call: (n: number) => Promise<unknown>): Promise<void> {
  for (let n = 0; n < count; n += atATime) await Promise.all(Array.from({ length: Math.min(atATime, count - n) }, (_, more) => call(n + more)));
}
