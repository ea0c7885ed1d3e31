/** A damaged file: set aside, its readable rows saved, the loss counted and said. */
import { closeSync, existsSync, openSync, readdirSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KeyValues } from '../../../../nodes/kit/store/key-values';
import { OutboxRows } from '../../../../nodes/kit/store/outbox-rows';
import { openSqlite, type Sqlite } from '../../../../nodes/kit/store/sqlite';
import { openStateStore, type Recovery, type StateStore } from '../../../../nodes/kit/store/state-store';
import { overwrite } from './support/contract';
import { temporaryFolder } from './support/folder';

const PAGE = 4096;
const ROWS = 400;
const rows = new OutboxRows('sink');
const payload = (n: number): string => JSON.stringify({ n, plate: 'x'.repeat(500) });

/** A closed store with 400 items and as many values, and where to open it again. */
async function filled(): Promise<{ path: string; recoveries: Recovery[]; open: () => StateStore }> {
  const userDir = temporaryFolder();
  const recoveries: Recovery[] = [];
  const open = (): StateStore => {
    const store = openStateStore(userDir, { preallocateBytes: 64 * 1024, onRecovered: (recovery) => recoveries.push(recovery) });
    onTestFinished(() => store.release());
    return store;
  };
  const store = open();
  const written = [
    store.write((database) => {
      for (let n = 0; n < ROWS; n++) rows.insert(database, { key: `camera ${n % 7}`, id: `event ${n}`, payload: payload(n), bytes: 600, putAt: n });
    }),
    new KeyValues(store, 'seen').setAll(
      Array.from({ length: ROWS }, (_, n) => [`event ${n}`, { n }]),
      1,
    ),
  ];
  store.flush();
  await Promise.all(written);
  store.release();
  return { path: store.path, recoveries, open };
}

/** Some pages in the middle of the table of items. */
function itemPages(path: string): number[] {
  const database = openSqlite(path);
  const pages = database.all("SELECT pageno FROM dbstat WHERE name = 'outbox_items' AND pagetype = 'leaf' ORDER BY pageno");
  database.close();
  return pages.slice(10, 13).map(({ pageno }) => Number(pageno));
}

function damage(pages: readonly number[], path: string): void {
  for (const page of pages) overwrite(path, (page - 1) * PAGE, page * PAGE);
}

const damageItems = (path: string): void => damage(itemPages(path), path);

/** So that the next read comes from the file. */
const dropCache = (database: Sqlite): unknown => database.all('PRAGMA shrink_memory');

const items = (database: Sqlite): ReturnType<OutboxRows['next']> => rows.next(database, { from: 0, exceptKeys: [], limit: 10_000 });

describe('a store whose file is damaged', () => {
  it('goes on with the rows that can be read, and says how many were lost and where the file is', async () => {
    const { path, recoveries, open } = await filled();
    damageItems(path);
    const store = open();
    const saved = store.read(items);
    const values = new KeyValues(store, 'seen').entries();
    expect(recoveries).toEqual([{ saved: saved.length + values.length, lost: 2 * ROWS - saved.length - values.length, path: expect.stringContaining('state.corrupt-') }]);
    expect(saved.length).toBeGreaterThan(ROWS - 50);
    expect(existsSync(recoveries[0]!.path)).toBe(true);
  });

  it('has saved what it saved as it was, and the totals agree', async () => {
    const { path, open } = await filled();
    damageItems(path);
    const store = open();
    const saved = store.read(items);
    for (const { seq, key, id, payload: text, putAt } of saved) {
      const n = seq - 1;
      expect({ key, id, text, putAt }).toEqual({ key: `camera ${n % 7}`, id: `event ${n}`, text: payload(n), putAt: n });
    }
    expect(store.read((database) => rows.totals(database))).toEqual({ items: saved.length, bytes: saved.length * 600 });
  });

  it('never gives a number twice, whatever was lost', async () => {
    const { path, open } = await filled();
    overwrite(path, 0, 100);
    const store = open();
    const written = store.write((database) => rows.insert(database, { key: 'k', id: 'new', payload: '1', bytes: 1, putAt: 1 }));
    store.flush();
    await written;
    expect(store.read(items).at(-1)).toMatchObject({ id: 'new' });
    expect(store.read(items).at(-1)!.seq).toBeGreaterThan(ROWS);
  });

  it('says that the loss is unknown when nothing can be read', async () => {
    const { path, recoveries, open } = await filled();
    writeFileSync(path, 'no database, '.repeat(1000));
    expect(open().read(items)).toEqual([]);
    expect(recoveries).toMatchObject([{ saved: 0, lost: null }]);
  });

  it('goes on, too, when the damage is met at run time', async () => {
    const { path, recoveries, open } = await filled();
    const pages = itemPages(path);
    const store = open();
    damage(pages, path);
    store.read(dropCache);
    const saved = store.read(items);
    expect(recoveries).toHaveLength(1);
    expect(saved.length).toBeGreaterThan(0);
    expect(saved.length).toBeLessThan(ROWS);
    const written = new KeyValues(store, 'seen').set('after', 1, 2);
    store.flush();
    await written;
    expect(new KeyValues(store, 'seen').get('after')).toBe(1);
  });

  it('repeats on the new file what was being written', async () => {
    const { path, recoveries, open } = await filled();
    const pages = itemPages(path);
    const store = open();
    damage(pages, path);
    store.read(dropCache);
    const written = store.write((database) => {
      const [{ n } = {}] = database.all('SELECT count(*) AS n FROM outbox_items NOT INDEXED');
      database.run('INSERT INTO key_values VALUES (?, ?, ?, ?)', ['seen', 'written', String(n), 1]);
      return n;
    });
    store.flush();
    const n = await written;
    expect(recoveries).toHaveLength(1);
    expect(new KeyValues(store, 'seen').get('written')).toBe(n);
    expect(n).toBe(store.read(items).length);
  });

  it('is not read again once it was set aside', async () => {
    const { path, recoveries, open } = await filled();
    damageItems(path);
    const store = open();
    store.release();
    expect(open().read(items).length).toBeGreaterThan(0);
    expect(recoveries).toHaveLength(1);
  });

  it('keeps the last three damaged files', async () => {
    const { path, recoveries, open } = await filled();
    for (let time = 0; time < 5; time++) {
      open().release();
      overwrite(path, 0, 100);
    }
    open();
    expect(recoveries).toHaveLength(5);
    const kept = readdirSync(dirname(path)).filter((name) => name.startsWith('state.corrupt-') && name.endsWith('.sqlite'));
    expect(kept).toHaveLength(3);
    expect(existsSync(recoveries[4]!.path)).toBe(true);
  });

  it('finishes a recovery that was cut off between setting aside and putting in place', async () => {
    const { path, recoveries, open } = await filled();
    renameSync(path, `${path}.new`);
    expect(open().read(items)).toHaveLength(ROWS);
    expect(recoveries).toEqual([]);
  });

  it('whatever is damaged: is sound again, has no item twice, and counts what it saved', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.integer({ min: 1, max: 3 * PAGE }), seed: fc.nat(255) }), { minLength: 1, maxLength: 4 }),
        async (damages) => {
          const { path, recoveries, open } = await filled();
          const { size } = statSync(path);
          const file = openSync(path, 'r+');
          for (const { at, length, seed } of damages) {
            const start = Math.floor(at * (size - length));
            writeSync(file, Buffer.from(Array.from({ length }, (_, n) => (n * 31 + seed * 7) & 0xff)), 0, length, start);
          }
          closeSync(file);
          const store = open();
          const saved = store.read(items);
          const values = new KeyValues(store, 'seen').entries();
          expect(store.read((database) => database.all('PRAGMA integrity_check'))).toEqual([{ integrity_check: 'ok' }]);
          expect(new Set(saved.map(({ id }) => id)).size).toBe(saved.length);
          const [recovery] = recoveries;
          expect(saved.length + values.length).toBe(recovery ? recovery.saved : 2 * ROWS);
          expect(store.read((database) => rows.totals(database)).items).toBe(saved.length);
          store.release();
        },
      ),
      { numRuns: 25 },
    );
  });
});
