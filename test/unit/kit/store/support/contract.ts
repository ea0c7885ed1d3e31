/**
 * What both SQLite drivers promise, as plain functions over `node:assert`: run by vitest, and by run-contract.ts on a Node that
 * vitest does not run on.
 */
import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../../../../nodes/kit/errors';
import { defaultDriver, openSqlite, type Sqlite, type SqliteDriver, type SqliteOptions } from '../../../../../nodes/kit/store/sqlite';

export interface ContractCase {
  name: string;
  /** `folder` is empty, and the case's own. Throws where the promise is not kept. */
  check: (driver: SqliteDriver, folder: string) => void;
}

export const driversHere = (): SqliteDriver[] => [...new Set<SqliteDriver>([defaultDriver(), 'node-sqlite3-wasm'])];

const MEGABYTE = 1024 * 1024;

export const contract: ContractCase[] = [
  fresh('gives back every kind of value as it was given', (database) => {
    database.exec('CREATE TABLE t (v)');
    const values = ['', 'niño 😀', '0', 0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, 2n ** 60n, -(2n ** 63n), 0.5, -1e300, null, new Uint8Array([0, 1, 255]), new Uint8Array()];
    for (const value of values) database.run('INSERT INTO t VALUES (?)', [value]);
    assert.deepEqual(
      database.all('SELECT v FROM t ORDER BY rowid').map(({ v }) => v),
      values,
    );
  }),

  fresh('gives a small integer back as a number, also where it came as a bigint', (database) => {
    assert.deepEqual(database.all('SELECT ? AS n, 7 AS m', [7n]), [{ n: 7, m: 7 }]);
  }),

  fresh('binds an integer as an integer', (database) => {
    assert.deepEqual(database.all("SELECT typeof(?) AS kind, ? || '' AS text", [5, 5]), [{ kind: 'integer', text: '5' }]);
  }),

  fresh('binds a Buffer as a blob', (database) => {
    assert.deepEqual(database.all('SELECT typeof(?) AS kind, hex(?) AS hex', [Buffer.from('a'), Buffer.from('ab')]), [{ kind: 'blob', hex: '6162' }]);
  }),

  fresh('keeps a text of a megabyte', (database) => {
    const text = 'ñ'.repeat(MEGABYTE / 2);
    database.exec('CREATE TABLE t (v)');
    database.run('INSERT INTO t VALUES (?)', [text]);
    assert.equal(database.all('SELECT v FROM t')[0]?.v, text);
  }),

  fresh('refuses text with a NUL character, which the drivers would cut', (database) => {
    assertCode('STORE_FAILED', () => database.all('SELECT ? AS v', ['a\0b']));
  }),

  fresh('counts the rows that a statement changed', (database) => {
    database.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1), (2), (3)');
    assert.deepEqual(database.run('UPDATE t SET v = v + 1 WHERE v > ?', [1]), { changes: 2 });
    assert.deepEqual(database.run('DELETE FROM t WHERE v = ?', [99]), { changes: 0 });
  }),

  fresh('returns the rows of RETURNING, and goes on', (database) => {
    database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v)');
    assert.deepEqual(database.all('INSERT INTO t (v) VALUES (?), (?) RETURNING id', ['a', 'b']), [{ id: 1 }, { id: 2 }]);
    assert.deepEqual(database.all('SELECT count(*) AS n FROM t'), [{ n: 2 }]);
  }),

  fresh('can use a statement again after it failed', (database) => {
    database.exec('CREATE TABLE t (v PRIMARY KEY)');
    const insert = 'INSERT INTO t VALUES (?)';
    database.run(insert, [1]);
    for (let attempt = 0; attempt < 3; attempt++) {
      const error = assertCode('STORE_FAILED', () => database.run(insert, [1]));
      assert.match(error.message, /UNIQUE constraint failed: t\.v/);
    }
    assert.deepEqual(database.run(insert, [2]), { changes: 1 });
  }),

  fresh('says what is wrong with a statement', (database) => {
    assert.match(assertCode('STORE_FAILED', () => database.all('SELECT zona')).message, /no such column: zona/);
  }),

  fresh('works on with more different statements than it keeps', (database) => {
    for (let round = 0; round < 2; round++)
      for (let n = 0; n < 300; n++) assert.deepEqual(database.all(`SELECT ${n} AS n, ? AS v`, [n]), [{ n, v: n }]);
  }),

  fresh('has the JSON functions', (database) => {
    assert.deepEqual(database.all("SELECT value FROM json_each(?) WHERE value > 'a'", ['["a","b","\\u0000 c"]']).length, 1);
    assert.deepEqual(database.all("SELECT json_extract(?, '$.zone.id') AS id", ['{"zone":{"id":7}}']), [{ id: 7 }]);
  }),

  fresh('enforces foreign keys', (database) => {
    database.exec('CREATE TABLE parent (id PRIMARY KEY); CREATE TABLE child (id REFERENCES parent)');
    assertCode('STORE_FAILED', () => database.run('INSERT INTO child VALUES (?)', [1]));
  }),

  fresh('commits a transaction whole and gives its result', (database) => {
    database.exec('CREATE TABLE t (v)');
    const result = database.transaction(() => {
      database.run('INSERT INTO t VALUES (?)', [1]);
      return database.all('SELECT v FROM t');
    });
    assert.deepEqual(result, [{ v: 1 }]);
    assert.deepEqual(database.all('SELECT v FROM t'), [{ v: 1 }]);
  }),

  fresh('undoes a transaction whose work throws, and throws the same', (database) => {
    database.exec('CREATE TABLE t (v)');
    const problem = new Error('mine');
    assert.throws(
      () =>
        database.transaction(() => {
          database.run('INSERT INTO t VALUES (?)', [1]);
          throw problem;
        }),
      (error) => error === problem,
    );
    assert.deepEqual(database.all('SELECT v FROM t'), []);
    assert.equal(
      database.transaction(() => 1),
      1,
    );
  }),

  fresh('refuses a transaction within a transaction, and work that waits', (database) => {
    database.exec('CREATE TABLE t (v)');
    assertCode('STORE_FAILED', () => database.transaction(() => database.transaction(() => 1)));
    assertCode('STORE_FAILED', () =>
      database.transaction(() => {
        database.run('INSERT INTO t VALUES (?)', [1]);
        return Promise.resolve();
      }),
    );
    assert.deepEqual(database.all('SELECT v FROM t'), []);
  }),

  fresh('has each commit on disk when it returns', (database) => {
    assert.deepEqual(database.all('PRAGMA journal_mode'), [{ journal_mode: 'wal' }]);
    assert.deepEqual(database.all('PRAGMA synchronous'), [{ synchronous: 2 }]);
  }),

  fresh('cannot be used once closed, and closes twice', (database) => {
    database.close();
    database.close();
    assertCode('STORE_FAILED', () => database.all('SELECT 1'));
    assertCode('STORE_FAILED', () => database.exec('SELECT 1'));
    assertCode('STORE_FAILED', () => database.transaction(() => 1));
  }),

  {
    name: 'has everything after it was closed and opened again, and leaves nothing but the file',
    check(driver, folder) {
      const path = join(folder, 'not', 'yet', 'there.sqlite');
      using(path, { driver }, (database) => database.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)'));
      assert.deepEqual(readdirSync(join(folder, 'not', 'yet')), ['there.sqlite']);
      using(path, { driver }, (database) => assert.deepEqual(database.all('SELECT v FROM t'), [{ v: 1 }]));
    },
  },

  {
    name: 'is for one at a time: STORE_LOCKED names the process that has it',
    check(driver, folder) {
      const path = join(folder, 'a.sqlite');
      using(path, { driver }, (database) => {
        const error = assertCode('STORE_LOCKED', () => openSqlite(path, { driver }));
        assert.match(error.message, new RegExp(`process ${process.pid} `));
        assert.deepEqual(database.all('SELECT 1 AS n'), [{ n: 1 }]);
      });
      using(path, { driver }, () => undefined);
    },
  },

  {
    name: 'does not outgrow its limit, and can delete and go on when it has reached it',
    check(driver, folder) {
      using(join(folder, 'a.sqlite'), { driver, maxBytes: MEGABYTE }, (database) => {
        database.exec('CREATE TABLE t (v)');
        const fill = (): void => {
          for (;;) database.run('INSERT INTO t VALUES (?)', ['x'.repeat(10_000)]);
        };
        assertCode('STORE_FULL', fill);
        assertCode('STORE_FULL', () => database.transaction(fill));
        const { changes } = database.run('DELETE FROM t WHERE rowid % 2 = ?', [0]);
        assert.ok(changes > 30);
        database.run('INSERT INTO t VALUES (?)', ['x'.repeat(10_000)]);
        assert.ok(statSync(join(folder, 'a.sqlite')).size <= MEGABYTE);
      });
    },
  },

  {
    name: 'takes the space asked for beforehand, once, and gives none of it to rows of its own',
    check(driver, folder) {
      const path = join(folder, 'a.sqlite');
      const options = { driver, preallocateBytes: 3 * MEGABYTE };
      using(path, options, (database) => {
        assert.deepEqual(database.all('SELECT name FROM sqlite_schema'), []);
        database.exec('CREATE TABLE t (v)');
      });
      const { size } = statSync(path);
      assert.ok(size >= 3 * MEGABYTE && size < 5 * MEGABYTE, String(size));
      using(path, options, () => undefined);
      assert.ok(statSync(path).size - size < MEGABYTE / 4, String(statSync(path).size));
    },
  },

  {
    name: 'uses its write-ahead log again instead of letting it grow',
    check(driver, folder) {
      const path = join(folder, 'a.sqlite');
      using(path, { driver }, (database) => {
        database.exec('CREATE TABLE t (v)');
        for (let n = 0; n < 200; n++) database.run('INSERT INTO t VALUES (?)', ['x'.repeat(100_000)]);
        assert.ok(statSync(`${path}-wal`).size < 8 * MEGABYTE, String(statSync(`${path}-wal`).size));
      });
    },
  },

  {
    name: 'says so when the file is no database',
    check(driver, folder) {
      const path = join(folder, 'a.sqlite');
      writeFileSync(path, 'these are not the bytes of a database, however often they are repeated'.repeat(100));
      assertCode('STORE_CORRUPT', () => openSqlite(path, { driver }));
      assert.ok(!existsSync(`${path}.pid`));
    },
  },

  {
    name: 'says so when it meets a damaged page',
    check(driver, folder) {
      const path = join(folder, 'a.sqlite');
      using(path, { driver }, (database) => {
        database.exec('CREATE TABLE t (v)');
        for (let n = 0; n < 20; n++) database.run('INSERT INTO t VALUES (?)', [String(n).repeat(1000)]);
      });
      overwrite(path, 4096, 5 * 4096);
      using(path, { driver }, (database) => assertCode('STORE_CORRUPT', () => database.all('SELECT v FROM t')));
    },
  },

  {
    name: 'says so when the path cannot be a file',
    check(driver, folder) {
      assertCode('STORE_FAILED', () => openSqlite(folder, { driver }));
      writeFileSync(join(folder, 'file'), '');
      assertCode('STORE_FAILED', () => openSqlite(join(folder, 'file', 'a.sqlite'), { driver }));
    },
  },

  {
    name: 'leaves a file that every other driver here can read, and write, and give back',
    check(driver, folder) {
      const path = join(folder, 'a.sqlite');
      using(path, { driver }, (database) => database.exec("CREATE TABLE t (v); INSERT INTO t VALUES ('first')"));
      for (const other of driversHere()) {
        using(path, { driver: other }, (database) => database.run('INSERT INTO t VALUES (?)', [other]));
        using(path, { driver }, (database) => assert.deepEqual(database.all('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]));
      }
      using(path, { driver }, (database) =>
        assert.deepEqual(
          database.all('SELECT v FROM t').map(({ v }) => v),
          ['first', ...driversHere()],
        ),
      );
    },
  },
];

/** Bytes that no page of SQLite begins with. */
export function overwrite(path: string, from: number, to: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(to - from, 0x5a), 0, to - from, from);
  closeSync(file);
}

function fresh(name: string, check: (database: Sqlite) => void): ContractCase {
  return { name, check: (driver, folder) => using(join(folder, 'a.sqlite'), { driver }, check) };
}

function using(path: string, options: SqliteOptions, use: (database: Sqlite) => unknown): void {
  const database = openSqlite(path, options);
  try {
    use(database);
  } finally {
    database.close();
  }
}

function assertCode(code: ErrorCode, act: () => unknown): Error {
  let thrown: unknown;
  assert.throws(act, (error) => {
    thrown = error;
    return true;
  });
  assert.equal((thrown as { code?: unknown }).code, code, String(thrown));
  return thrown as Error;
}
