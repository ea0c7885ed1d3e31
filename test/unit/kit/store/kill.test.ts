/** A process killed at any moment: what it had acknowledged is there, once and in order; what was delivered and deleted does not come back. */
import { once } from 'node:events';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutboxRows } from '../../../../nodes/kit/store/outbox-rows';
import { openStateStore } from '../../../../nodes/kit/store/state-store';
import { compiledChild } from './support/compiled';
import { driversHere } from './support/contract';
import { temporaryFolder } from './support/folder';

const ROUNDS = 20;
const start = compiledChild('put-child');
const rows = new OutboxRows('sink');

interface Told {
  acknowledged: number[];
  delivered: number[];
}

/** Numbers that the child told of, until it was killed `after` so many messages and a moment. */
async function runAndKill(userDir: string, driver: string, { first, after, moment }: { first: number; after: number; moment: number }): Promise<Told> {
  const told: Told = { acknowledged: [], delivered: [] };
  const child = start(userDir, driver, String(first));
  const exited = once(child, 'exit');
  let messages = 0;
  child.on('message', ([kind, ...numbers]: [keyof Told, ...number[]]) => {
    told[kind].push(...numbers);
    if (++messages === after) setTimeout(() => child.kill('SIGKILL'), moment);
  });
  const [, signal] = (await exited) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return told;
}

function waiting(userDir: string, driver: 'node:sqlite' | 'node-sqlite3-wasm'): number[] {
  const store = openStateStore(userDir, { driver, preallocateBytes: 0, onRecovered: (recovery) => expect.fail(JSON.stringify(recovery)) });
  try {
    expect(store.read((database) => database.all('PRAGMA integrity_check'))).toEqual([{ integrity_check: 'ok' }]);
    const found = store.read((database) => rows.next(database, { from: 0, exceptKeys: [], limit: 1_000_000 }));
    expect(store.read((database) => rows.totals(database)).items).toBe(found.length);
    const numbers = found.map(({ id }) => Number(id));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    return numbers;
  } finally {
    store.release();
  }
}

describe.each(driversHere())('kill -9, %s', (driver) => {
  it('loses nothing that was acknowledged, and has nothing twice', async () => {
    const userDir = temporaryFolder();
    const moments = fc.sample(fc.record({ after: fc.integer({ min: 1, max: 12 }), moment: fc.integer({ min: 0, max: 60 }) }), ROUNDS);
    const acknowledged = new Set<number>();
    const delivered = new Set<number>();
    /** Delivered, and no longer in the file. */
    const done = new Set<number>();
    let first = 0;
    for (const when of moments) {
      const told = await runAndKill(userDir, driver, { first, ...when });
      expect(told.delivered.filter((number) => done.has(number))).toEqual([]);
      for (const number of told.acknowledged) acknowledged.add(number);
      for (const number of told.delivered) delivered.add(number);
      const found = new Set(waiting(userDir, driver));
      expect([...acknowledged].filter((number) => !delivered.has(number) && !found.has(number))).toEqual([]);
      for (const number of delivered) if (!found.has(number)) done.add(number);
      first = Math.max(first, ...acknowledged, ...delivered, ...found) + 1;
    }
    expect(acknowledged.size).toBeGreaterThan(ROUNDS);
    expect(done.size).toBeGreaterThan(0);
  }, 180_000);
});
