import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError } from '../../../nodes/kit/errors';
import { openSqlite } from '../../../nodes/kit/store/sqlite';
import type { Database } from '../../../nodes/sql/database';
import { EmbeddedDatabase } from '../../../nodes/sql/embedded-database';
import { utcText } from '../../../nodes/sql/ledger';
import { SqlConnection } from '../../../nodes/sql/sql-connection';
import { SqlError } from '../../../nodes/sql/sql-error';
import { sqliteError } from '../../../nodes/sql/sqlite-errors';
import { ManualClock } from '../support/manual-clock';

const DAY = 86_400_000;

let folder: string;
let file: string;
let opened: Database[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sql-'));
  file = join(folder, 'events.sqlite');
  opened = [];
});
afterEach(async () => {
  for (const database of opened) await database.close();
  rmSync(folder, { recursive: true });
});

function open(settings: Partial<ConstructorParameters<typeof EmbeddedDatabase>[0]> = {}): EmbeddedDatabase {
  const database = new EmbeddedDatabase({ file, ...settings });
  opened.push(database);
  return database;
}
const ask = (database: Database, sql: string) => database.query({ steps: [sql], params: {} });

function connect(database: Database, clock: ManualClock, createTables = true): { connection: SqlConnection; stop: () => void } {
  const controller = new AbortController();
  const connection = new SqlConnection({ database, timeZone: 'America/Bogota', retentionDays: 30, createTables, clock, random: () => 0.5, signal: controller.signal });
  return { connection, stop: () => controller.abort() };
}

describe('what the nodes agree on', () => {
  test('tables are made once, counters that share a table as its columns', async () => {
    const database = open();
    const { connection, stop } = connect(database, new ManualClock());
    for (const column of ['norte', 'sur']) connection.require([{ kind: 'counter', table: 'aforos', eventColumn: 'evento', countColumns: [column] }]);
    await connection.prepare();
    await connection.prepare();
    expect((await ask(database, 'SELECT name FROM pragma_table_info(\'aforos\')')).map(({ name }) => name)).toEqual(['evento', 'norte', 'sur']);
    stop();
  });

  test('a failed start is tried again by the next write', async () => {
    let works = false;
    const database = open({
      open: (path) => {
        if (!works) throw new CodedError('STORE_LOCKED', 'another process');
        return openSqlite(path);
      },
    });
    const { connection, stop } = connect(database, new ManualClock());
    connection.require([]);
    await expect(connection.prepare()).rejects.toMatchObject({ kind: 'retry', code: 'STORE_LOCKED' });
    works = true;
    await connection.prepare();
    expect(await ask(database, 'SELECT * FROM camera_events_ledger')).toEqual([]);
    stop();
  });

  test('nothing is made where that is not wanted', async () => {
    const database = open();
    const { connection, stop } = connect(database, new ManualClock(), false);
    connection.require([]);
    await connection.prepare();
    expect(await ask(database, 'SELECT name FROM sqlite_schema')).toEqual([]);
    stop();
  });

  test('the ledger is kept short while it is used: old entries go, others stay', async () => {
    const database = open();
    const clock = new ManualClock();
    const { connection, stop } = connect(database, clock);
    connection.require([]);
    await connection.prepare();
    const entries = Array.from({ length: 4500 }, (_, n) => ({ effect: 'e', event: String(n).padStart(5, '0'), at: clock.now() - (n < 4000 ? 40 : 1) * DAY }));
    await database.query(database.statements.claim(entries));
    clock.advance(15 * 60_000);
    await expect.poll(async () => (await ask(database, 'SELECT count(*) AS n FROM camera_events_ledger'))[0]?.n).toBe(500);
    const [oldest] = await ask(database, 'SELECT min(at) AS at FROM camera_events_ledger');
    expect(String(oldest?.at) > utcText(clock.now() - 30 * DAY)).toBe(true);
    stop();
    clock.advance(DAY);
    expect(clock.waiting).toBe(0);
  });
});

describe('the embedded database', () => {
  test('is one file to all who name it, and closed by the last', async () => {
    const one = open();
    const other = open();
    await ask(one, 'CREATE TABLE t (n)');
    await one.close();
    expect(await ask(other, 'SELECT * FROM t')).toEqual([]);
    await other.close();
    openSqlite(file).close();
  });

  test('a transaction has it for itself, whoever else asks', async () => {
    const one = open();
    const other = open();
    await ask(one, 'CREATE TABLE t (n)');
    let goOn: () => void = () => undefined;
    const writing = one.transaction(async (session) => {
      await session.query({ steps: ['INSERT INTO t VALUES (1)'], params: {} });
      await new Promise<void>((resolve) => (goOn = resolve));
      throw new RangeError('changed my mind');
    });
    const reading = ask(other, 'SELECT * FROM t');
    await expect.poll(() => goOn.name).not.toBe('');
    goOn();
    await expect(writing).rejects.toThrow('changed my mind');
    expect(await reading).toEqual([]);
  });

  test('a session is of no use after its transaction', async () => {
    const database = open();
    const session = await database.transaction((given) => Promise.resolve(given));
    await expect(session.query({ steps: ['SELECT 1'], params: {} })).rejects.toMatchObject({ kind: 'retry' });
  });

  test('closing waits for what is under way, and is an end', async () => {
    const database = open();
    const writing = ask(database, 'CREATE TABLE t (n)');
    await database.close();
    await writing;
    await expect(ask(database, 'SELECT 1')).rejects.toMatchObject({ kind: 'retry' });
  });
});

describe('errors of SQLite', () => {
  const driverError = (message: string, errcode?: number): CodedError =>
    new CodedError('STORE_FAILED', `file: ${message}`, { cause: Object.assign(new Error(message), errcode === undefined ? {} : { errcode }) });

  test.each([
    ['row', 'SQL_ROW_REFUSED', driverError('NOT NULL constraint failed: t.n', 1299)],
    ['row', 'SQL_ROW_REFUSED', driverError('UNIQUE constraint failed: t.n')],
    ['row', 'SQL_ROW_REFUSED', driverError('datatype mismatch')],
    ['row', 'SQL_ROW_REFUSED', driverError('any words', 18)],
    ['configuration', 'SQL_TABLE_MISSING', driverError('no such table: t', 1)],
    ['configuration', 'SQL_COLUMN_MISSING', driverError('table t has no column named x')],
    ['configuration', 'SQL_REFUSED', driverError('near "SELEC": syntax error', 1)],
    ['retry', 'STORE_FAILED', driverError('disk I/O error')],
    ['retry', 'STORE_FAILED', driverError('any words', 266)],
    ['retry', 'STORE_FULL', new CodedError('STORE_FULL', 'full')],
    ['retry', 'STORE_LOCKED', new CodedError('STORE_LOCKED', 'locked')],
    ['configuration', 'STORE_CORRUPT', new CodedError('STORE_CORRUPT', 'damaged')],
  ])('%s: %s', (kind, code, error) => {
    expect(sqliteError(error)).toMatchObject({ kind, code });
  });

  test('what is none of SQLite’s stays as it is', () => {
    const ours = new CodedError('BAD_MESSAGE', 'ours');
    expect(sqliteError(ours)).toBe(ours);
    const sorted = new SqlError('race', 'SQL_BUSY', 'sorted already');
    expect(sqliteError(sorted)).toBe(sorted);
  });
});
