import sql from 'mssql';
import { afterEach, describe, expect, test } from 'vitest';
import type { Statement } from '../../devices/tds/requests';
import { startTdsServer, type TdsServer, type TdsServerOptions } from '../../devices/tds/tds-server';

let server: TdsServer;
let pool: sql.ConnectionPool;
afterEach(async () => {
  await pool.close().catch(() => undefined);
  await server.stop();
});

async function connect(options: TdsServerOptions = {}, password = 'sa'): Promise<void> {
  server = await startTdsServer(options);
  pool = new sql.ConnectionPool({
    server: '127.0.0.1',
    port: server.port,
    user: 'sa',
    password,
    database: 'AVIGILON',
    connectionTimeout: 2000,
    requestTimeout: 300,
    validateConnection: 'socket',
    options: { encrypt: false, trustServerCertificate: true },
  });
  pool.on('error', () => undefined);
  await pool.connect();
}

const failure = async (work: Promise<unknown>): Promise<{ code?: string; number?: number }> =>
  work.then(
    () => ({}),
    (error: unknown) => error as { code?: string },
  );

test('logs in, takes parameters of every kind we send and gives rows back', async () => {
  const seen: Statement[] = [];
  await connect({
    answer: (statement) => {
      seen.push(statement);
      return { rows: [{ id: 1, name: 'Ñandú', ratio: 0.5, on: true, none: null }, { id: -2, name: '', ratio: 2, on: false, none: null }] };
    },
  });
  const json = JSON.stringify(Array.from({ length: 2000 }, (_, i) => ({ i, text: 'x'.repeat(10) })));
  const when = new Date('2026-03-01T10:00:00.250Z');
  const result = await pool
    .request()
    .input('a', sql.NVarChar(100), "O'Higgins; --")
    .input('b', sql.Int, -7)
    .input('c', sql.NVarChar(sql.MAX), json)
    .input('d', sql.Bit, true)
    .input('e', sql.Float, 1.25)
    .input('f', sql.NVarChar(10), null)
    .input('g', sql.DateTime2(3), when)
    .query('SELECT 1 WHERE @a = @b');
  expect(result.recordset).toEqual([{ id: 1, name: 'Ñandú', ratio: 0.5, on: true, none: null }, { id: -2, name: '', ratio: 2, on: false, none: null }]);
  expect(seen[0]).toMatchObject({ procedure: 'sp_executesql', sql: 'SELECT 1 WHERE @a = @b', params: { a: "O'Higgins; --", b: -7, c: json, d: true, e: 1.25, f: null, g: when } });
});

test('a wrong password is ELOGIN', async () => {
  expect(await failure(connect({}, 'wrong'))).toMatchObject({ code: 'ELOGIN' });
  expect(server.refusedLogins).toBe(1);
});

test('rows affected', async () => {
  await connect({ answer: () => ({ affected: 42 }) });
  expect((await pool.request().query('UPDATE t SET a = 1')).rowsAffected).toEqual([42]);
});

describe('transactions', () => {
  test('commit and rollback', async () => {
    await connect();
    for (const end of ['commit', 'rollback'] as const) {
      const transaction = pool.transaction();
      await transaction.begin();
      await transaction.request().query('INSERT');
      await transaction[end]();
    }
    expect(server.log.map(({ what }) => what)).toEqual(['begin', 'INSERT', 'commit', 'begin', 'INSERT', 'rollback']);
    expect([server.committed, server.rolledBack]).toEqual([1, 1]);
  });

  test('a deadlock victim is 1205, and its commit is refused', async () => {
    await connect({ answer: () => ({ error: { number: 1205 }, rollback: true }) });
    const transaction = pool.transaction();
    await transaction.begin();
    expect(await failure(transaction.request().query('UPDATE'))).toMatchObject({ number: 1205 });
    expect(await failure(transaction.commit())).toMatchObject({ code: 'EABORT' });
  });

  test('a connection killed inside one leaves nothing committed', async () => {
    await connect({ answer: () => 'kill' });
    const transaction = pool.transaction();
    await transaction.begin();
    expect(await failure(transaction.request().query('UPDATE'))).not.toEqual({});
    await failure(transaction.rollback());
    expect(server.committed).toBe(0);
  });

  test('a commit whose answer never comes', async () => {
    await connect({ ending: () => 'kill' });
    const transaction = pool.transaction();
    await transaction.begin();
    expect(await failure(transaction.commit())).not.toEqual({});
  });
});

test('error numbers come through, and the connection goes on', async () => {
  let turn = 0;
  await connect({ answer: () => (turn++ === 0 ? { error: { number: 2627 } } : { affected: 1 }) });
  expect(await failure(pool.request().query('INSERT'))).toMatchObject({ code: 'EREQUEST', number: 2627 });
  expect((await pool.request().query('INSERT')).rowsAffected).toEqual([1]);
});

test('a statement that hangs is cancelled by the client, and the connection goes on', async () => {
  let turn = 0;
  await connect({ answer: () => (turn++ === 0 ? 'hang' : { affected: 1 }) });
  expect(await failure(pool.request().query('SELECT 1'))).toMatchObject({ code: 'ETIMEOUT' });
  expect((await pool.request().query('SELECT 2')).rowsAffected).toEqual([1]);
});

test('a server that is gone and comes back', async () => {
  await connect();
  await pool.request().query('SELECT 1');
  await server.stop();
  expect((await failure(pool.request().query('SELECT 1'))).code).toMatch(/ESOCKET|ECONNRESET|ECONNCLOSED/);
  await server.start();
  await pool.request().query('SELECT 1');
});
