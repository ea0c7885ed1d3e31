/** One process per file: who may open it, and what happens to what a dead one left behind. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PidLock } from '../../../../nodes/kit/store/pid-lock';
import { openSqlite } from '../../../../nodes/kit/store/sqlite';
import { compiledChild } from './support/compiled';
import { driversHere } from './support/contract';
import { temporaryFolder } from './support/folder';

const hold = compiledChild('holding-child');

/** A process that has just ended. */
async function deadPid(): Promise<number> {
  const child = hold();
  child.kill('SIGKILL');
  await once(child, 'exit');
  return child.pid!;
}

const aFile = (): string => join(temporaryFolder(), 'a.sqlite');
const lockOf = (file: string): Record<string, unknown> => JSON.parse(readFileSync(`${file}.pid`, 'utf8')) as Record<string, unknown>;
const writeLock = (file: string, owner: object): void =>
  writeFileSync(`${file}.pid`, JSON.stringify({ pid: process.pid, started: null, host: hostname(), nonce: 'x', ...owner }));
const leftBeside = (file: string): string[] => readdirSync(dirname(file)).filter((name) => name !== basename(file));

function take(file: string): PidLock {
  const lock = PidLock.take(file);
  onTestFinished(() => lock.release());
  return lock;
}

describe('a file in use', () => {
  it('is refused to a second user in the same process', () => {
    const file = aFile();
    take(file);
    expect(() => PidLock.take(file)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }));
  });

  it('names its owner', () => {
    const file = aFile();
    take(file);
    expect(lockOf(file)).toMatchObject({ pid: process.pid, host: hostname() });
  });

  it('is free again after its release, with nothing left behind', () => {
    const file = aFile();
    PidLock.take(file).release();
    expect(leftBeside(file)).toEqual([]);
    take(file);
  });

  it('is not taken from a new owner by a late second release', () => {
    const file = aFile();
    const first = PidLock.take(file);
    first.release();
    take(file);
    first.release();
    expect(() => PidLock.take(file)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }));
  });
});

describe('a lock left behind', () => {
  it('is taken over when its process is dead', async () => {
    const file = aFile();
    writeLock(file, { pid: await deadPid() });
    take(file);
    expect(lockOf(file)).toMatchObject({ pid: process.pid });
    expect(leftBeside(file)).toEqual(['a.sqlite.pid']);
  });

  it.runIf(process.platform === 'linux')('is taken over when its process id belongs to a younger process, as in a restarted container', () => {
    const file = aFile();
    writeLock(file, { pid: process.pid, started: 'another boot 12345' });
    take(file);
    expect(lockOf(file).started).not.toBe('another boot 12345');
  });

  it('takes the lock folder of the WebAssembly driver with it', async () => {
    const file = aFile();
    mkdirSync(`${file}.lock`);
    writeLock(file, { pid: await deadPid() });
    take(file);
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it.each([
    ['of another machine', JSON.stringify({ pid: 1, started: null, host: 'elsewhere', nonce: 'x' })],
    ['that cannot be read, as one written on a full disk', ''],
    ['of a foreign program', '"42"'],
  ])('%s counts while it is touched, and no longer', (_, content) => {
    const file = aFile();
    writeFileSync(`${file}.pid`, content);
    expect(() => PidLock.take(file)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }));
    const minutesAgo = new Date(Date.now() - 120_000);
    utimesSync(`${file}.pid`, minutesAgo, minutesAgo);
    take(file);
  });
});

describe.each(driversHere())('two processes, %s', (driver) => {
  async function holder(file: string): Promise<{ kill: () => Promise<void> }> {
    const child = hold(file, driver);
    const kill = async (): Promise<void> => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    };
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    await once(child, 'message');
    return { kill };
  }

  it('the second is told who has the file', async () => {
    const file = aFile();
    await holder(file);
    for (const mine of driversHere())
      expect(() => openSqlite(file, { driver: mine })).toThrow(expect.objectContaining({ code: 'STORE_LOCKED', message: expect.stringMatching(/process \d+ on /) }));
  });

  it('the second has everything as soon as the first was killed', async () => {
    const file = aFile();
    const { kill } = await holder(file);
    await kill();
    expect(leftBeside(file)).not.toEqual([]);
    for (const mine of driversHere()) {
      const database = openSqlite(file, { driver: mine });
      expect(database.all('SELECT v FROM t')).toEqual([{ v: 1 }]);
      database.close();
    }
    expect(leftBeside(file)).toEqual([]);
  });
});
