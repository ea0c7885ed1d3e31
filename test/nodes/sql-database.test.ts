import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import helper from 'node-red-node-test-helper';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTdsServer, type TdsServer } from '../devices/tds/tds-server';
import { collect, errors, load, node, statuses, unhandledRejections, unload, until, useRed, warnings, type Received } from './support/red';

useRed();

let folder: string;
let server: TdsServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sql-nodes-'));
  helper.settings({ userDir: folder });
});
afterEach(async () => {
  await unload();
  await server?.stop();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
  expect(unhandledRejections()).toEqual([]);
});

const toServer = (): object => ({ dialect: 'sqlserver', server: '127.0.0.1', port: server?.port ?? 1, database: 'AVIGILON', encrypt: false });

describe('sql-query', () => {
  async function start(statement: string, database: object = {}, credentials: Record<string, object> = {}): Promise<Received[]> {
    await load(
      [
        { id: 'db', type: 'sql-database', ...database },
        { id: 'q', type: 'sql-query', database: 'db', statement, wires: [['out']] },
        { id: 'out', type: 'helper' },
      ],
      credentials,
    );
    return collect('out');
  }
  const ask = (message: object): void => node('q').receive(message as never);

  test('takes its parameters from msg.params, msg.payload.params or msg.payload', async () => {
    const out = await start('SELECT @a AS a, @b AS b');
    ask({ params: { a: 1, b: 'x' }, payload: { a: 9, b: 9 } });
    await until(() => out.length === 1);
    ask({ payload: { params: { a: true, b: null }, a: 9 } });
    await until(() => out.length === 2);
    ask({ payload: { a: { deep: [1] }, b: `'; DROP TABLE t; --`, more: 1 } });
    await until(() => out.length === 3);
    expect(out.map(({ payload }) => payload)).toEqual([[{ a: 1, b: 'x' }], [{ a: 1, b: null }], [{ a: '{"deep":[1]}', b: `'; DROP TABLE t; --` }]]);
  });

  test('says how many rows it changed', async () => {
    const out = await start('CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS n');
    ask({ payload: '' });
    await until(() => out.length === 1);
    await unload();
    const changed = await start('UPDATE t SET n = @n WHERE n < @n');
    ask({ payload: { n: 5 } });
    await until(() => changed.length === 1);
    expect(changed[0]).toMatchObject({ payload: [], rowsAffected: 1 });
  });

  test('a parameter that is missing, or that nothing can store, fails the message and names it', async () => {
    await start('SELECT @a');
    ask({ payload: { b: 1 } });
    ask({ payload: { a: NaN } });
    await until(() => errors('q').length === 2);
    expect(errors('q')).toMatchObject([
      { code: 'BAD_MESSAGE', message: expect.stringContaining('@a') as string },
      { code: 'BAD_MESSAGE', message: expect.stringContaining('@a') as string },
    ]);
  });

  test('a table that is not there is an error with its code', async () => {
    await start('SELECT * FROM nowhere');
    ask({ payload: '' });
    await until(() => errors('q').length === 1);
    expect(errors('q')[0]).toMatchObject({ code: 'SQL_TABLE_MISSING' });
  });

  test('the embedded database takes one statement, whatever is behind the semicolon', async () => {
    await start('SELECT 1; DROP TABLE t');
    expect(statuses('q')).toMatchObject([{ fill: 'red', text: 'status.config {"field":"statement"}' }]);
    await unload();
    const out = await start("SELECT ';' AS a; -- done;\n");
    ask({ payload: '' });
    await until(() => out.length === 1);
  });

  test('SQL Server gets values as parameters, and the statement as it is written', async () => {
    server = await startTdsServer({ answer: () => ({ rows: [{ n: 1 }] }) });
    const out = await start('SELECT @name AS n', toServer(), { db: { user: 'sa', password: 'sa' } });
    ask({ payload: { name: `'; DROP TABLE t; --` } });
    await until(() => out.length === 1);
    expect(out[0]!.payload).toEqual([{ n: 1 }]);
    expect(server.log.at(-1)).toMatchObject({ what: 'SELECT @name AS n', params: { name: `'; DROP TABLE t; --` } });
  });

  test('the server may be written as host,port', async () => {
    server = await startTdsServer({ answer: () => ({ rows: [{ n: 1 }] }) });
    const out = await start('SELECT 1', { ...toServer(), server: `127.0.0.1,${server.port}`, port: '' }, { db: { user: 'sa', password: 'sa' } });
    ask({ payload: '' });
    await until(() => out.length === 1);
  });

  test('the user and password may come from the environment', async () => {
    server = await startTdsServer({ users: { ana: 'secret' }, answer: () => ({ rows: [{ n: 1 }] }) });
    process.env.TEST_DB_USER = 'ana';
    process.env.TEST_DB_PASSWORD = 'secret';
    try {
      const out = await start('SELECT 1', { ...toServer(), userEnv: 'TEST_DB_USER', passwordEnv: 'TEST_DB_PASSWORD' });
      ask({ payload: '' });
      await until(() => out.length === 1);
    } finally {
      delete process.env.TEST_DB_USER;
      delete process.env.TEST_DB_PASSWORD;
    }
  });

  test('a refused login says what may be wrong, without user or password', async () => {
    server = await startTdsServer({ users: { ana: 'secret' } });
    await start('SELECT 1', toServer(), { db: { user: 'ana', password: 'hunter2' } });
    ask({ payload: '' });
    await until(() => errors('q').length === 1);
    expect(errors('q')[0]).toMatchObject({ code: 'SQL_LOGIN_REFUSED' });
    expect(errors('q')[0]!.message).not.toMatch(/ana|hunter2/);
  });

  test.each([
    ['server', { dialect: 'sqlserver', database: 'x' }],
    ['database', { dialect: 'sqlserver', server: 'x' }],
    ['user', { dialect: 'sqlserver', server: 'x', database: 'x' }],
    ['tlsCaFile', { dialect: 'sqlserver', server: 'x', database: 'x', tlsCaFile: '/does/not/exist' }],
    ['port', { dialect: 'sqlserver', server: 'x', database: 'x', port: '99999' }],
    ['timeZone', { timeZone: 'Mars/Olympus' }],
    ['retentionDays', { retentionDays: 0 }],
    ['dialect', { dialect: 'oracle' }],
  ])('a bad %s is said once, and shown by whoever uses it', async (property, database) => {
    await start('SELECT 1', database);
    expect(statuses('db')).toMatchObject([{ fill: 'red', text: `status.config {"field":"${property}"}` }]);
    expect(statuses('q')).toMatchObject([{ fill: 'red' }]);
    expect(warnings('db', 'q')).toHaveLength(1);
  });
});

describe('the dialog', () => {
  const post = async (name: string, form: object): Promise<{ status: number; body: Record<string, unknown> }> => {
    const { status, body } = (await helper.request().post(`/camera-events/sql-database/${name}`).send(form)) as { status: number; body: Record<string, unknown> };
    return { status, body };
  };

  test('tests, and creates the stadium’s tables where no node asks for others', async () => {
    await load([]);
    const before = await post('test', { dialect: 'embedded' });
    expect(before).toMatchObject({ status: 200, body: { version: expect.stringMatching(/^SQLite 3/) as string, database: 'events.sqlite' } });
    expect(before.body.missing).toEqual([
      'camera_events_ledger',
      'camera_events_audit',
      'eventos_Analisis',
      'Aforo_parqueadero',
      'Aforo_parqueadero_campinsito',
      'Aforo_parqueadero_SUR',
    ]);
    expect((await post('create', { dialect: 'embedded' })).body.created).toHaveLength(6);
    expect((await post('test', { dialect: 'embedded' })).body.missing).toEqual([]);
    expect((await post('create', { dialect: 'embedded' })).body.created).toEqual([]);
  });

  test('knows the tables of the nodes that use the database', async () => {
    await load([
      { id: 'db', type: 'sql-database' },
      { id: 'i', type: 'event-insert', database: 'db', table: 'mine' },
    ]);
    expect((await post('test', { dialect: 'embedded' })).body.missing).toEqual(['camera_events_ledger', 'camera_events_audit', 'mine']);
  });

  test.each([
    ['an unreachable server', { dialect: 'sqlserver', server: '127.0.0.1', port: 1, database: 'x', user: 'a', password: 'b', connectTimeout: 1 }, 'SQL_UNAVAILABLE'],
    ['no password', { dialect: 'sqlserver', server: '127.0.0.1', database: 'x' }, 'CREDENTIALS_MISSING'],
    ['a bad field', { dialect: 'sqlserver', server: '127.0.0.1', database: 'x', poolMax: -1 }, 'CONFIG_INVALID'],
  ])('%s is answered with what is wrong', async (_, form, code) => {
    await load([]);
    expect(await post('test', form)).toMatchObject({ status: 422, body: { code } });
  });
});
