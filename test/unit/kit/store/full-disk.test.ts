/** A disk that something else has filled to the last byte: a small file system in memory, where this process may mount one. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { Outbox } from '../../../../nodes/kit/outbox';
import { openStateStore, type StateStore } from '../../../../nodes/kit/store/state-store';
import { ManualClock } from '../../support/manual-clock';
import { driversHere } from './support/contract';

const MEGABYTE = 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'camera-events-full-'));
const mounted = mount(folder);
afterAll(() => {
  if (mounted) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
});

function mount(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function fillDisk(): void {
  const file = openSync(join(folder, 'somebody-elses'), 'w');
  try {
    for (const size of [MEGABYTE, 4096, 1]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      }
    }
  } finally {
    closeSync(file);
  }
  expect(statfsSync(folder).bavail).toBe(0);
}

const freeDisk = (): void => rmSync(join(folder, 'somebody-elses'), { force: true });

describe.runIf(mounted).each(driversHere())('a full disk, %s', (driver) => {
  interface Rig {
    store: StateStore;
    outbox: Outbox;
    put: (from: number, count: number, bytes?: number) => Promise<unknown>;
    /** Ids that the target was sent until now. */
    sent: string[];
    settle: () => Promise<void>;
    close: () => Promise<void>;
  }

  function open(): Rig {
    const clock = new ManualClock();
    const store = openStateStore(folder, { driver, clock, preallocateBytes: 6 * MEGABYTE });
    const outbox = new Outbox(store, { name: 'sink', maxItems: 100_000, maxBytes: 1e9, whenFull: 'refuse-new', batchSize: 50 }, { clock, random: () => 0.5 });
    const sent: string[] = [];
    const settle = async (): Promise<void> => {
      for (let round = 0; round < 100; round++) {
        store.flush();
        clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const put = async (from: number, count: number, bytes = 1000): Promise<unknown> => {
      const result = outbox.put(Array.from({ length: count }, (_, n) => ({ key: 'a', id: String(from + n), payload: 'x'.repeat(bytes) }))).catch((error: unknown) => error);
      await settle();
      return result;
    };
    const close = async (): Promise<void> => {
      await outbox.close();
      store.release();
    };
    onTestFinished(async () => {
      await close();
      for (const end of ['', '-wal', '-shm', '.pid', '.probe']) rmSync(`${store.path}${end}`, { force: true });
      rmSync(`${store.path}.lock`, { recursive: true, force: true });
      freeDisk();
    });
    return { store, outbox, put, sent, settle, close };
  }

  const drain = (rig: Rig): void =>
    rig.outbox.drain((batch) => {
      rig.sent.push(...batch.map(({ id }) => id));
      return Promise.resolve(batch.map(() => 'delivered'));
    });

  const numbers = (from: number, count: number): string[] => Array.from({ length: count }, (_, n) => String(from + n));

  it('takes, sends and deletes on within the space taken beforehand, however long', async () => {
    const rig = open();
    fillDisk();
    drain(rig);
    for (let round = 0; round < 30; round++) {
      expect(await rig.put(round * 500, 500)).toEqual(Array(500).fill('stored'));
      await rig.settle();
      expect(rig.outbox.counts()).toMatchObject({ items: 0, bytes: 0, failure: null });
    }
    expect(rig.sent).toEqual(numbers(0, 15_000));
  });

  it('refuses what goes beyond that, sends what it has, and takes again', async () => {
    const rig = open();
    await rig.put(0, 1000);
    fillDisk();
    let stored = 1000;
    for (; ; stored += 100) {
      const result = await rig.put(stored, 100);
      if (!Array.isArray(result)) {
        expect(result).toMatchObject({ code: 'STORE_FULL' });
        break;
      }
    }
    expect(stored).toBeGreaterThan(3000);
    drain(rig);
    await rig.settle();
    expect(rig.sent).toEqual(numbers(0, stored));
    expect(rig.outbox.counts()).toMatchObject({ items: 0, bytes: 0, failure: null });
    expect(await rig.put(stored, 100)).toEqual(Array(100).fill('stored'));
  });

  it('refuses a write larger than its log, and nothing else suffers', async () => {
    const rig = open();
    await rig.put(0, 10);
    fillDisk();
    expect(await rig.put(10, 1, 8 * MEGABYTE)).toMatchObject({ code: 'STORE_FULL' });
    expect(await rig.put(11, 10)).toEqual(Array(10).fill('stored'));
    drain(rig);
    await rig.settle();
    expect(rig.sent).toEqual([...numbers(0, 10), ...numbers(11, 10)]);
    expect(rig.outbox.counts().items).toBe(0);
  });

  it('sends what waited after a restart, when it cannot even write its log', async () => {
    const before = open();
    await before.put(0, 500);
    await before.close();
    fillDisk();
    const rig = open();
    drain(rig);
    await rig.settle();
    expect(rig.sent).toEqual(numbers(0, 500));
    expect(rig.outbox.counts()).toMatchObject({ items: 0, failure: { code: 'STORE_FULL' } });
    freeDisk();
    for (let round = 0; round < 10; round++) await rig.settle();
    expect(rig.outbox.counts()).toMatchObject({ items: 0, bytes: 0, failure: null });
    expect(rig.sent).toHaveLength(500);
  });
});
