import fc from 'fast-check';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CodedError } from '../../../nodes/kit/errors';
import { WatchedFile, type WatchedFileOptions, type WatchedFileSystem } from '../../../nodes/kit/watched-file';
import { ManualClock } from '../support/manual-clock';

/** One file in memory that can be missing, broken or slow. */
class OneFile implements WatchedFileSystem {
  #bytes: Buffer | undefined;
  #stamp = 0;
  /** Code that `facts` or `read` fail with. */
  failing: { facts?: string; read?: string } = {};
  isFile = true;
  size: number | undefined;
  reads = 0;
  /** While set, nothing is answered. */
  hung: Promise<void> | undefined;

  write(content: string | Buffer): void {
    this.#stamp++;
    this.writeUnnoticed(content);
  }

  /** As a file system does whose time stamps are coarser than two changes are apart. */
  writeUnnoticed(content: string | Buffer): void {
    this.#bytes = Buffer.from(content);
  }

  remove(): void {
    this.#bytes = undefined;
  }

  async facts(): ReturnType<WatchedFileSystem['facts']> {
    await this.hung;
    const bytes = this.#check(this.failing.facts);
    return { stamp: String(this.#stamp), size: this.size ?? bytes.length, isFile: this.isFile };
  }

  read(_: string, limit: number): Promise<Buffer> {
    this.reads++;
    return Promise.resolve().then(() => this.#check(this.failing.read).subarray(0, limit));
  }

  #check(failure: string | undefined): Buffer {
    const code = failure ?? (this.#bytes ? undefined : 'ENOENT');
    if (code !== undefined) throw Object.assign(new Error(`${code}: made up`), { code });
    return this.#bytes!;
  }
}

/** Until all that is under way in memory has come to its end. */
const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Rig {
  disk: OneFile;
  clock: ManualClock;
  file: WatchedFile<unknown>;
  /** `changed <value>`, `broken <code>`, `recovered`, in order. */
  seen: string[];
  errors: CodedError[];
  /** So many looks, a second apart. */
  polls: (count?: number) => Promise<void>;
}

async function watch(content: string | undefined, options: Partial<WatchedFileOptions<unknown>> = {}): Promise<Rig> {
  const disk = new OneFile();
  if (content !== undefined) disk.write(content);
  const clock = new ManualClock();
  const seen: string[] = [];
  const errors: CodedError[] = [];
  const file = new WatchedFile<unknown>({
    path: '/data/list.json',
    parse: JSON.parse,
    clock,
    fs: disk,
    changed: (value) => seen.push(`changed ${JSON.stringify(value)}`),
    broken: (error) => {
      errors.push(error);
      seen.push(`broken ${error.code}`);
    },
    recovered: () => seen.push('recovered'),
    ...options,
  });
  onTestFinished(() => file.close());
  await quiet();
  const polls = async (count = 1): Promise<void> => {
    for (let left = count; left > 0; left--) {
      clock.advance(1000);
      await quiet();
    }
  };
  return { disk, clock, file, seen, errors, polls };
}

test('reads at once, and again within a second of a change', async () => {
  const { disk, file, seen, polls } = await watch('[1]');
  expect(file.value).toEqual([1]);
  disk.write('[2]');
  await polls();
  expect(file.value).toEqual([2]);
  expect(seen).toEqual(['changed [1]', 'changed [2]']);
});

test('says nothing of a file that was only touched', async () => {
  const { disk, seen, polls } = await watch('[1]');
  disk.write('[1]');
  await polls(3);
  expect(seen).toEqual(['changed [1]']);
});

test('reads no more once the file has been as it is for some seconds', async () => {
  const { disk, polls } = await watch('[1]');
  await polls(5);
  const { reads } = disk;
  await polls(20);
  expect(disk.reads).toBe(reads);
});

test('sees a second change that the time stamp does not show', async () => {
  const { disk, file, polls } = await watch('[1]');
  await polls(10);
  disk.write('[2]');
  await polls();
  disk.writeUnnoticed('[3]');
  await polls();
  expect(file.value).toEqual([3]);
});

describe('a file that breaks', () => {
  test('keeps what was last good, says so once, and once that it is well again', async () => {
    const { disk, file, seen, errors, polls } = await watch('[1]');
    disk.write('[2');
    await polls(30);
    disk.write('[2,');
    await polls(30);
    expect(file.value).toEqual([1]);
    expect(seen).toEqual(['changed [1]', 'broken FILE_INVALID']);
    expect(errors[0]?.message).toMatch(/^\/data\/list\.json: .*JSON/);
    disk.write('[3]');
    await polls(30);
    expect(seen.slice(2)).toEqual(['changed [3]', 'recovered']);
    disk.write('[4');
    await polls(2);
    expect(seen.slice(4)).toEqual(['broken FILE_INVALID']);
  });

  test('is not spoken of when it is well a second later, as while an editor saves it', async () => {
    const { disk, seen, polls } = await watch('[1]');
    disk.write('[1,');
    await polls();
    disk.write('[1,2]');
    await polls(3);
    disk.remove();
    await polls();
    disk.write('[1,2,3]');
    await polls(3);
    expect(seen).toEqual(['changed [1]', 'changed [1,2]', 'changed [1,2,3]']);
  });

  test('comes back as it was after being away', async () => {
    const { disk, file, seen, errors, polls } = await watch('[1]');
    disk.remove();
    await polls(5);
    expect(file.value).toEqual([1]);
    disk.writeUnnoticed('[1]');
    await polls(5);
    expect(seen).toEqual(['changed [1]', 'broken FILE_UNREADABLE', 'recovered']);
    expect(errors[0]?.message).toBe('/data/list.json cannot be read: there is no such file (ENOENT)');
  });

  test.each(['facts', 'read'] as const)('recovers from an error of the disk in %s without any change of the file', async (where) => {
    const { disk, seen, polls } = await watch('[1]');
    await polls(10);
    disk.write('[2]');
    disk.failing = { [where]: 'EIO' };
    await polls(10);
    disk.failing = {};
    await polls();
    expect(seen).toEqual(['changed [1]', 'broken FILE_UNREADABLE', 'changed [2]', 'recovered']);
  });

  test('is reported at once when it was never read well', async () => {
    const { file, seen } = await watch(undefined);
    expect(seen).toEqual(['broken FILE_UNREADABLE']);
    expect(file.value).toBeUndefined();
  });

  test('keeps the code that its reader gave, and never ends the watching', async () => {
    const { disk, file, seen, polls } = await watch('x', {
      parse: (text) => {
        if (text === 'x') throw new CodedError('BAD_LOCAL_TIME', 'no');
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- whatever a reader does
        if (text === 'y') throw 'no';
        return text;
      },
    });
    disk.write('y');
    await polls(3);
    disk.write('z');
    await polls();
    expect(seen).toEqual(['broken BAD_LOCAL_TIME', 'changed "z"', 'recovered']);
    expect(file.value).toBe('z');
  });
});

describe('what is no text file of a bearable size', () => {
  test.each([
    ['a folder or pipe', { isFile: false }, 'not a regular file', 0],
    ['a file that says that it is larger', { size: 101 }, 'larger than', 0],
    ['a file that turns out larger', { size: 3 }, 'larger than', 1],
  ])('%s is refused', async (_, facts, text, reads) => {
    const disk = new OneFile();
    disk.write(`[${'1,'.repeat(60)}1]`);
    Object.assign(disk, facts);
    const { errors } = await watch(undefined, { fs: disk, maxBytes: 100 });
    expect(errors).toMatchObject([{ code: 'FILE_UNREADABLE', message: expect.stringContaining(text) as string }]);
    expect(disk.reads).toBe(reads);
  });

  test('a file of exactly the size is read', async () => {
    const { file } = await watch('[123]', { maxBytes: 5 });
    expect(file.value).toEqual([123]);
  });

  test.each([
    ['UTF-8 with a byte order mark', Buffer.from('\ufeff["ñ"]')],
    ['UTF-16 as Windows writes it', Buffer.from('\ufeff["ñ"]', 'utf16le')],
  ])('%s is read', async (_, bytes) => {
    const { disk, file, polls } = await watch('[]');
    disk.write(bytes);
    await polls();
    expect(file.value).toEqual(['ñ']);
  });

  test('another encoding is refused rather than garbled', async () => {
    const { disk, file, errors, polls } = await watch('[]');
    disk.write(Buffer.from('["ñ"]', 'latin1'));
    await polls(2);
    expect(errors).toMatchObject([{ code: 'FILE_INVALID', message: expect.stringContaining('UTF-8') as string }]);
    expect(file.value).toEqual([]);
  });
});

describe('asked to look', () => {
  test('it sees what was written before, and says what is wrong at once', async () => {
    const { disk, file, seen } = await watch('[1]');
    disk.write('[2]');
    expect(await file.reload()).toBeUndefined();
    expect(file.value).toEqual([2]);
    disk.write('[');
    expect(await file.reload()).toMatchObject({ code: 'FILE_INVALID' });
    expect(await file.reload()).toMatchObject({ code: 'FILE_INVALID' });
    expect(seen).toEqual(['changed [1]', 'changed [2]', 'broken FILE_INVALID']);
  });

  test('it reads, even where nothing shows a change', async () => {
    const { disk, file, polls } = await watch('[1]');
    await polls(10);
    disk.writeUnnoticed('[2]');
    await file.reload();
    expect(file.value).toEqual([2]);
  });

  test('it looks again after a look under way, once for all who asked meanwhile', async () => {
    const { disk, clock, file } = await watch('[1]');
    let answer = (): void => undefined;
    disk.hung = new Promise((resolve) => (answer = resolve));
    clock.advance(1000);
    await quiet();
    const asked = Array.from({ length: 50 }, () => file.reload());
    await quiet();
    const { reads } = disk;
    disk.write('[2]');
    answer();
    await Promise.all(asked);
    expect(file.value).toEqual([2]);
    expect(disk.reads - reads).toBe(2);
  });
});

test('a disk that does not answer is asked once, not each second', async () => {
  const { disk, clock, file, polls } = await watch('[1]');
  let answer = (): void => undefined;
  disk.hung = new Promise((resolve) => (answer = resolve));
  await polls(100);
  expect(clock.waiting).toBe(0);
  disk.write('[2]');
  answer();
  await quiet();
  expect(file.value).toEqual([2]);
  expect(clock.waiting).toBe(1);
});

test('closed, it leaves no timer and says nothing more, not even of a look under way', async () => {
  const { disk, clock, file, seen } = await watch('[1]');
  disk.write('[2]');
  clock.advance(1000);
  file.close();
  await quiet();
  expect(seen).toEqual(['changed [1]']);
  expect(clock.waiting).toBe(0);
});

test('whatever happens to the file: the value is the last good one, and outages are reported in turn', async () => {
  const action = fc.oneof(
    fc.nat(9).map((value) => ({ kind: 'good' as const, value })),
    fc.constantFrom('bad', 'remove', 'fail', 'heal', 'reload').map((kind) => ({ kind, value: 0 })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
      const { disk, file, seen, polls } = await watch('0');
      let content: number | 'bad' | undefined = 0;
      let lastGood = 0;
      for (const { kind, value } of actions) {
        if (kind === 'good') disk.write(String((content = value)));
        else if (kind === 'bad') disk.write((content = 'bad'));
        else if (kind === 'remove') disk.remove();
        else if (kind === 'fail') disk.failing = { facts: 'EIO' };
        else if (kind === 'heal') disk.failing = {};
        if (kind === 'remove') content = undefined;
        if (kind === 'reload') await file.reload();
        else await polls();
        if (disk.failing.facts === undefined && typeof content === 'number') lastGood = content;
        expect(file.value).toBe(lastGood);
      }
      await polls(2);
      const outages = seen.filter((one) => !one.startsWith('changed')).map((one) => one.split(' ')[0]);
      expect(outages).toEqual(outages.map((_, index) => (index % 2 === 0 ? 'broken' : 'recovered')));
      const well = disk.failing.facts === undefined && typeof content === 'number';
      expect(outages.length % 2 === 0).toBe(well);
      file.close();
    }),
    { numRuns: 100 },
  );
});

test('on a real disk: written, replaced, removed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watched-file-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'list.json');
  const file = new WatchedFile({ path, parse: JSON.parse, clock: new ManualClock(), changed: () => undefined, maxBytes: 200_000 });
  expect(await file.reload()).toMatchObject({ code: 'FILE_UNREADABLE', message: expect.stringContaining('ENOENT') as string });
  const long = Array.from({ length: 20_000 }, (_, index) => index);
  writeFileSync(path, JSON.stringify(long));
  expect(await file.reload()).toBeUndefined();
  expect(file.value).toEqual(long);
  writeFileSync(`${path}.new`, '["new"]');
  renameSync(`${path}.new`, path);
  chmodSync(path, 0o444);
  await file.reload();
  expect(file.value).toEqual(['new']);
  writeFileSync(`${path}.new`, Buffer.alloc(200_001, ' '));
  renameSync(`${path}.new`, path);
  expect(await file.reload()).toMatchObject({ message: expect.stringContaining('larger') as string });
  rmSync(path);
  expect(await file.reload()).toMatchObject({ code: 'FILE_UNREADABLE' });
  expect(file.value).toEqual(['new']);
  file.close();
});
