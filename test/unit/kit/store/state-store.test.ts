/** The shared store: grouped commits, many holders, growth, a full store, key-values. Drivers differ in the contract only. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KeyValues } from '../../../../nodes/kit/store/key-values';
import { openSqlite, type Sqlite } from '../../../../nodes/kit/store/sqlite';
import { openStateStore, type StateStore, type StateStoreOptions } from '../../../../nodes/kit/store/state-store';
import { ManualClock } from '../../support/manual-clock';
import { temporaryFolder } from './support/folder';

const MEGABYTE = 1024 * 1024;

/** Small, so that tests do not write 16 MiB each; without a growth limit that matters. */
function openStore(userDir: string, options: StateStoreOptions = {}): StateStore {
  const store = openStateStore(userDir, { preallocateBytes: 64 * 1024, ...options });
  onTestFinished(() => store.release());
  return store;
}

const insert = (value: number | string) => (database: Sqlite): void => {
  database.run('INSERT INTO key_values VALUES (?, ?, ?, ?)', ['test', String(value), '1', 0]);
};
const keys = (store: StateStore): unknown[] => store.read((database) => database.all('SELECT key FROM key_values ORDER BY rowid')).map(({ key }) => key);

/** What has become of a promise by now. */
async function state(promise: Promise<unknown>): Promise<'pending' | 'done' | 'failed'> {
  return Promise.race([promise.then(() => 'done' as const, () => 'failed' as const), new Promise<'pending'>((resolve) => setImmediate(() => resolve('pending')))]);
}

describe('a write', () => {
  it('is committed with others after 50 ms, and says so only then', async () => {
    const clock = new ManualClock();
    const store = openStore(temporaryFolder(), { clock });
    const first = store.write(insert(1));
    clock.advance(49);
    const second = store.write(insert(2));
    expect(await state(first)).toBe('pending');
    expect(keys(store)).toEqual([]);
    clock.advance(1);
    expect(await state(first)).toBe('done');
    expect(await state(second)).toBe('done');
    expect(keys(store)).toEqual(['1', '2']);
  });

  it('does not wait when 256 have come together', async () => {
    const clock = new ManualClock();
    const store = openStore(temporaryFolder(), { clock });
    const writes = Array.from({ length: 256 }, (_, n) => store.write(insert(n)));
    clock.advance(0);
    expect(await state(Promise.all(writes))).toBe('done');
  });

  it('gives the result of its work', async () => {
    const store = openStore(temporaryFolder());
    const result = store.write((database) => database.all('SELECT 7 AS n')[0]?.n);
    store.flush();
    expect(await result).toBe(7);
  });

  it('sees what those before it in the same commit have written', async () => {
    const store = openStore(temporaryFolder());
    void store.write(insert(1));
    const count = store.write((database) => database.all('SELECT count(*) AS n FROM key_values')[0]?.n);
    store.flush();
    expect(await count).toBe(1);
  });

  it('that fails undoes all of itself and nothing of its neighbours, and rejects with its own error', async () => {
    const store = openStore(temporaryFolder());
    const problem = new Error('mine');
    const writes = [
      store.write(insert('before')),
      store.write((database) => {
        insert('half')(database);
        throw problem;
      }),
      store.write((database) => {
        insert('half too')(database);
        insert('before')(database);
      }),
      store.write((database) => {
        insert('waits')(database);
        return Promise.resolve();
      }),
      store.write(insert('after')),
    ];
    store.flush();
    const settled = await Promise.allSettled(writes);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled']);
    expect(settled[1]).toMatchObject({ reason: problem });
    expect(settled[2]).toMatchObject({ reason: { code: 'STORE_FAILED' } });
    expect(keys(store)).toEqual(['before', 'after']);
  });

  it('may throw anything', async () => {
    const store = openStore(temporaryFolder());
    const written = store.write(() => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- a foreign library may
      throw 'words';
    });
    store.flush();
    await expect(written).rejects.toBe('words');
  });
});

describe('holders of one user directory', () => {
  it('share one file, closed when the last has released it', async () => {
    const userDir = temporaryFolder();
    const [first, second] = [openStore(userDir), openStore(userDir)];
    const written = first.write(insert(1));
    first.release();
    first.release();
    await written;
    expect(keys(second)).toEqual(['1']);
    expect(existsSync(`${second.path}.pid`)).toBe(true);
    second.release();
    expect(existsSync(`${second.path}.pid`)).toBe(false);
  });

  it('lose nothing that waited when they release it', async () => {
    const userDir = temporaryFolder();
    const store = openStore(userDir);
    const written = store.write(insert(1));
    store.release();
    await written;
    expect(keys(openStore(userDir))).toEqual(['1']);
  });

  it('cannot use what they have released', async () => {
    const userDir = temporaryFolder();
    const [store, other] = [openStore(userDir), openStore(userDir)];
    store.release();
    expect(() => store.read(() => 1)).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
    await expect(store.write(() => 1)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(other.read(() => 1)).toBe(1);
  });

  it('claim a name once at a time', () => {
    const userDir = temporaryFolder();
    const [first, second] = [openStore(userDir), openStore(userDir)];
    const giveBack = first.claim('publish');
    expect(() => second.claim('publish')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    giveBack();
    second.claim('publish');
  });
});

describe('opening', () => {
  it('is refused while somebody else has the file, and possible afterwards', () => {
    const userDir = temporaryFolder();
    const other = openSqlite(join(userDir, 'camera-events', 'state.sqlite'));
    expect(() => openStateStore(userDir)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }));
    other.close();
    openStore(userDir);
  });

  it('refuses a file of a newer version, and leaves it as it is', () => {
    const userDir = temporaryFolder();
    const path = join(userDir, 'camera-events', 'state.sqlite');
    const newer = openSqlite(path);
    newer.exec('PRAGMA user_version=999');
    newer.close();
    expect(() => openStateStore(userDir)).toThrow(expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining('newer version') }));
    const again = openSqlite(path);
    expect(again.all('PRAGMA user_version')).toEqual([{ user_version: 999 }]);
    again.close();
  });

  it('takes the space asked for', () => {
    const store = openStore(temporaryFolder(), { preallocateBytes: 6 * MEGABYTE });
    store.release();
    expect(statSync(store.path).size).toBeGreaterThanOrEqual(6 * MEGABYTE);
  });
});

describe('a store that fills up', () => {
  const large = (store: StateStore, n: number): Promise<void> =>
    new KeyValues(store, 'large').set(String(n), 'x'.repeat(100_000), n);

  async function fill(store: StateStore): Promise<number> {
    for (let n = 0; ; n++) {
      const written = large(store, n);
      store.flush();
      try {
        await written;
      } catch (error) {
        expect(error).toMatchObject({ code: 'STORE_FULL' });
        return n;
      }
    }
  }

  it('grows with what is in it, up to its limit', async () => {
    const store = openStore(temporaryFolder(), { maxBytes: 12 * MEGABYTE });
    expect(await fill(store)).toBeGreaterThan(90);
    store.release();
    expect(statSync(store.path).size).toBeGreaterThan(10 * MEGABYTE);
    expect(statSync(store.path).size).toBeLessThanOrEqual(12 * MEGABYTE);
  });

  it('takes what fits, and what frees, of a group that does not fit as a whole', async () => {
    const store = openStore(temporaryFolder(), { maxBytes: 6 * MEGABYTE });
    const full = await fill(store);
    const values = new KeyValues(store, 'large');
    const writes = [large(store, 1000), large(store, 1001), values.delete('0')];
    store.flush();
    const settled = await Promise.allSettled(writes);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(settled[1]).toMatchObject({ reason: { code: 'STORE_FULL' } });
    expect(values.entries().map(({ key }) => key)).toEqual([...Array.from({ length: full - 1 }, (_, n) => String(n + 1)), '1000']);
  });

  it('does not try every write of a long queue in vain', async () => {
    const store = openStore(temporaryFolder(), { maxBytes: 6 * MEGABYTE });
    await fill(store);
    let attempts = 0;
    const writes = Array.from({ length: 100 }, (_, n) =>
      store.write((database) => {
        attempts++;
        database.run('INSERT INTO key_values VALUES (?, ?, ?, ?)', ['large', `more ${n}`, `"${'x'.repeat(100_000)}"`, 0]);
      }),
    );
    store.flush();
    expect((await Promise.allSettled(writes)).every(({ status }) => status === 'rejected')).toBe(true);
    expect(attempts).toBeLessThan(20);
  });
});

describe('key-values', () => {
  async function settled(store: StateStore, ...writes: Promise<unknown>[]): Promise<void> {
    store.flush();
    await Promise.all(writes);
  }

  it('keep the last value of a key, over a restart', async () => {
    const userDir = temporaryFolder();
    const store = openStore(userDir);
    const cursors = new KeyValues(store, 'cursors');
    expect(cursors.get('een')).toBeUndefined();
    await settled(store, cursors.set('een', { at: 'a' }, 1), cursors.set('een', { at: 'b' }, 2));
    store.release();
    expect(new KeyValues(openStore(userDir), 'cursors').get('een')).toEqual({ at: 'b' });
  });

  it('are apart by namespace', async () => {
    const store = openStore(temporaryFolder());
    const [one, two] = [new KeyValues(store, 'one'), new KeyValues(store, 'two')];
    await settled(store, one.set('k', 1, 5), two.set('k', 2, 5));
    await settled(store, one.delete('k'));
    expect([one.get('k'), two.get('k')]).toEqual([undefined, 2]);
  });

  it('tell any two names apart, and give them back', async () => {
    const store = openStore(temporaryFolder());
    const values = new KeyValues(store, 'names');
    const names = ['', 'a', 'a\0b', 'a\0c', '\ud800', '\ud801', '\ufffd', '"', '\\', '\\u0000', 'ñ'];
    await settled(store, values.setAll(names.map((name) => [name, name]), 1));
    expect(names.map((name) => values.get(name))).toEqual(names);
    expect(values.entries().map(({ key }) => key)).toEqual(names);
  });

  it('list the newest, oldest of them first', async () => {
    const store = openStore(temporaryFolder());
    const values = new KeyValues(store, 'seen');
    await settled(store, ...[3, 1, 2].map((n) => values.set(`at ${n}`, n, n)));
    expect(values.entries().map(({ value }) => value)).toEqual([1, 2, 3]);
    expect(values.entries({ limit: 2 }).map(({ value }) => value)).toEqual([2, 3]);
    expect(values.entries({ since: 2, limit: 9 })).toEqual([
      { key: 'at 2', value: 2, touched: 2 },
      { key: 'at 3', value: 3, touched: 3 },
    ]);
  });

  it('forget what is old, however much, and say how much', async () => {
    const clock = new ManualClock();
    const store = openStore(temporaryFolder(), { clock });
    const [values, others] = [new KeyValues(store, 'seen'), new KeyValues(store, 'others')];
    await settled(store, values.setAll(Array.from({ length: 4500 }, (_, n) => [String(n), n]), 100), values.set('new', 1, 200), others.set('old', 1, 1));
    const forgotten = values.forget(200);
    while ((await state(forgotten)) === 'pending') store.flush();
    expect(await forgotten).toBe(4500);
    expect(values.entries().map(({ key }) => key)).toEqual(['new']);
    expect(others.get('old')).toBe(1);
  });
});
