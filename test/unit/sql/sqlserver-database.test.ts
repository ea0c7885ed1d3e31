/** SQL Server's control flow against a simulated server: what is asked, and what is made of failures. */
import { afterEach, describe, expect, test } from 'vitest';
import { startTdsServer, type TdsReply, type TdsServer, type TdsServerOptions } from '../../devices/tds/tds-server';
import { applyBatch } from '../../../nodes/sql/apply-batch';
import { applyHistory } from '../../../nodes/sql/apply-history';
import type { Database, Session } from '../../../nodes/sql/database';
import type { SqlError} from '../../../nodes/sql/sql-error';
import { type FailureKind } from '../../../nodes/sql/sql-error';
import { SqlServerDatabase, type SqlServerSettings } from '../../../nodes/sql/sqlserver-database';
import { sqlserverError } from '../../../nodes/sql/sqlserver-errors';
import { instantClock } from './support/world';

let running: TdsServer | undefined;
let server: TdsServer;
let database: SqlServerDatabase | undefined;
afterEach(async () => {
  await database?.close();
  await running?.stop();
  database = running = undefined;
});

async function start(options: TdsServerOptions = {}, settings: Partial<SqlServerSettings> = {}): Promise<Database> {
  running = server = await startTdsServer(options);
  return (database = new SqlServerDatabase({
    server: '127.0.0.1',
    port: server.port,
    database: 'AVIGILON',
    user: 'sa',
    password: 'sa',
    encrypt: false,
    trustServerCertificate: false,
    connectTimeoutMs: 1000,
    requestTimeoutMs: 300,
    ...settings,
  }));
}

const statement = (text: string) => ({ steps: [text], params: {} });

async function failureOf(work: Promise<unknown>): Promise<{ kind?: FailureKind; code?: string; message: string }> {
  try {
    await work;
  } catch (error) {
    return error as SqlError;
  }
  throw new Error('did not fail');
}

const twice = (session: Session) => session.query(statement('first')).then(() => session.query(statement('second')));

describe('values', () => {
  test('go as parameters of their kind', async () => {
    const ask = await start({ answer: () => ({ rows: [{ ok: 1 }] }) });
    const params = { text: "O'Higgins", long: 'x'.repeat(5000), int: -7, big: 2 ** 40, float: 1.5, flag: true, none: null, at: new Date('2026-03-01T10:00:00.250Z') };
    expect(await ask.query({ steps: ['SELECT @text'], params })).toEqual([{ ok: 1 }]);
    expect(server.log.at(-1)!.params).toMatchObject({ ...params, big: expect.anything() as unknown });
    expect(Number(server.log.at(-1)!.params.big)).toBe(2 ** 40);
  });
});

describe('failures', () => {
  test.each<[string, TdsReply, FailureKind, string]>([
    ['a deadlock', { error: { number: 1205 }, rollback: true }, 'race', 'SQL_BUSY'],
    ['a duplicate key', { error: { number: 2627 } }, 'duplicate', 'SQL_ROW_REFUSED'],
    ['a text too long', { error: { number: 2628 } }, 'row', 'SQL_ROW_REFUSED'],
    ['a trigger of the user', { error: { number: 50_000 } }, 'row', 'SQL_ROW_REFUSED'],
    ['no table', { error: { number: 208 } }, 'configuration', 'SQL_TABLE_MISSING'],
    ['no column', { error: { number: 207 } }, 'configuration', 'SQL_COLUMN_MISSING'],
    ['no permission', { error: { number: 229 } }, 'configuration', 'SQL_NOT_ALLOWED'],
    ['a syntax error', { error: { number: 102 } }, 'configuration', 'SQL_REFUSED'],
    ['a full log', { error: { number: 9002, severity: 17 } }, 'retry', 'SQL_UNAVAILABLE'],
    ['a failover', { error: { number: 40_613 } }, 'retry', 'SQL_UNAVAILABLE'],
    ['a killed connection', 'kill', 'retry', 'SQL_UNAVAILABLE'],
    ['no answer', 'hang', 'retry', 'SQL_UNAVAILABLE'],
  ])('%s in a transaction undoes it and is %s', async (_, reply, kind, code) => {
    const ask = await start({ answer: ({ sql }): TdsReply => (sql === 'second' ? reply : {}) });
    expect(await failureOf(ask.transaction(twice))).toMatchObject({ kind, code });
    expect(server.committed).toBe(0);
    // The pool is as it was: the next one works.
    expect(await ask.query(statement('third'))).toEqual([]);
  });

  test('a row that is refused is not quoted in the error: it may hold a plate', async () => {
    const ask = await start({ answer: () => ({ error: { number: 2628, message: "String or binary data would be truncated. Truncated value: 'ABC123'." } }) });
    expect((await failureOf(ask.query(statement('x')))).message).not.toContain('ABC123');
  });

  test('a commit whose answer is lost is an unknown outcome', async () => {
    const ask = await start({ ending: (what) => (what === 'commit' ? 'kill' : {}) });
    expect(await failureOf(ask.transaction(twice))).toMatchObject({ kind: 'retry' });
  });

  test('work that fails by itself is undone, and fails as it did', async () => {
    const ask = await start();
    await expect(ask.transaction(() => Promise.reject(new RangeError('mine')))).rejects.toMatchObject({ message: expect.stringContaining('mine') as string });
    expect(server).toMatchObject({ committed: 0, rolledBack: 1 });
  });

  test('nothing is sent, and nothing committed, after the time for the whole is over', async () => {
    let over: () => void = () => undefined;
    const clock = { ...instantClock, after: (_: number, run: () => void) => ((over = run), () => undefined) };
    const ask = await start({}, { clock, requestTimeoutMs: 5000 });
    const failed = failureOf(
      ask.transaction(async (session) => {
        await session.query(statement('first'));
        over();
        return session.query(statement('second'));
      }),
    );
    expect(await failed).toMatchObject({ kind: 'retry', code: 'SQL_UNAVAILABLE' });
    await expect.poll(() => server.rolledBack).toBe(1);
    expect(server.log.map(({ what }) => what)).not.toContain('second');
    expect(server.committed).toBe(0);
  });

  test('wrong user, password or database: refused, not repeated fast, and said without them', async () => {
    const ask = await start({ users: { sa: 'other' } }, { password: 'hunter2' });
    const failure = await failureOf(ask.query(statement('x')));
    expect(failure).toMatchObject({ kind: 'configuration', code: 'SQL_LOGIN_REFUSED' });
    expect(failure.message).not.toMatch(/hunter2/);
  });

  test('a server that stops and comes back is found again', async () => {
    const ask = await start({ answer: () => ({ rows: [{ n: 1 }] }) });
    await ask.query(statement('x'));
    await server.stop();
    expect(await failureOf(ask.query(statement('x')))).toMatchObject({ kind: 'retry' });
    await server.start();
    expect(await ask.query(statement('x'))).toEqual([{ n: 1 }]);
  });

  test('a server that is not there at the start is found when it comes', async () => {
    const ask = await start({ answer: () => ({ rows: [{ n: 1 }] }) });
    await server.stop();
    expect(await failureOf(ask.query(statement('x')))).toMatchObject({ kind: 'retry', code: 'SQL_UNAVAILABLE' });
    await server.start();
    expect(await ask.query(statement('x'))).toEqual([{ n: 1 }]);
  });

  test('ten killed transactions leave no connection behind', async () => {
    const ask = await start({ answer: ({ sql }) => (sql === 'second' ? 'kill' : {}) });
    for (let i = 0; i < 10; i++) await failureOf(ask.transaction(twice));
    await Promise.all(Array.from({ length: 8 }, () => ask.query(statement('x'))));
    expect(server.connectionsOpen).toBeLessThanOrEqual(4);
  });

  test('closed is closed', async () => {
    const ask = await start();
    await ask.query(statement('x'));
    await ask.close();
    expect(await failureOf(ask.query(statement('x')))).toMatchObject({ kind: 'retry' });
    await expect.poll(() => server.connectionsOpen).toBe(0);
  });
});

test('a batch lost to deadlocks and duplicates is run again until it is through', async () => {
  const replies: TdsReply[] = [{ error: { number: 1205 }, rollback: true }, { error: { number: 2627 } }, {}];
  const ask = await start({ answer: ({ sql }) => (sql === 'write' ? (replies.shift() ?? {}) : {}) });
  const outcomes = await applyBatch([1, 2], {
    apply: (items) => ask.transaction(async (session) => (await session.query(statement('write')), items)),
    clock: instantClock,
    random: Math.random,
    signal: new AbortController().signal,
  });
  expect(outcomes.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(server).toMatchObject({ committed: 1, rolledBack: 2 });
});

describe('a key that is there already', () => {
  const options = { clock: instantClock, random: Math.random, signal: new AbortController().signal };
  const write = (ask: Database) =>
    applyBatch([{ id: 'a', at: 0, row: ['x'] }, { id: 'b', at: 0, row: ['y'] }], {
      ...options,
      apply: (items) => applyHistory(items, { database: ask, table: 't', columns: [{ column: 'c', type: 'text' }], effect: 'e' }),
    });

  test('in the ledger, however often, is another worker: the rows are kept for later', async () => {
    const ask = await start({ answer: ({ sql }): TdsReply => (sql.includes('camera_events_ledger') ? { error: { number: 2627 } } : {}) });
    expect((await write(ask)).map(({ state }) => state)).toEqual(['retry', 'retry']);
  });

  test('in the user’s table is the row’s own: it is left out, the other is stored', async () => {
    const ask = await start({
      answer: ({ sql, params }): TdsReply => {
        if (sql.includes('[t]')) return String(params.rows).includes('y') ? { error: { number: 2601 } } : {};
        const entries = JSON.parse(String(params.entries)) as { e: string; i: string }[];
        return { rows: entries.map(({ e, i }) => ({ effect: e, event_id: i })) };
      },
    });
    expect((await write(ask)).map(({ state }) => state)).toEqual(['done', 'dead']);
  });
});

describe('errors of the driver', () => {
  test.each<[unknown, FailureKind | undefined, string]>([
    [{ code: 'EABORT' }, 'retry', 'SQL_UNAVAILABLE'],
    [{ code: 'ENOTBEGUN' }, 'retry', 'SQL_UNAVAILABLE'],
    [{ code: 'EINVALIDSTATE' }, 'retry', 'SQL_UNAVAILABLE'],
    [{ code: 'ESOCKET', originalError: { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } } }, 'configuration', 'TLS_FAILED'],
    [{ name: 'TimeoutError' }, 'retry', 'SQL_UNAVAILABLE'],
    [{ code: 'EREQUEST', number: 3621, precedingErrors: [{ number: 547 }] }, 'row', 'SQL_ROW_REFUSED'],
    [{ code: 'EPARAM', message: 'no such type' }, 'configuration', 'SQL_REFUSED'],
    [new TypeError('ours'), undefined, 'NODE_FAILED'],
    [undefined, undefined, 'NODE_FAILED'],
  ])('%o', (error, kind, code) => {
    const made: Partial<SqlError> = sqlserverError(error, 'here');
    expect([made.kind, made.code]).toEqual([kind, code]);
  });
});
