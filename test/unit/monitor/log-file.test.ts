import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LogFiles } from '../../../nodes/monitor/log-file';
import { nodeFileSystem } from '../../../nodes/monitor/log-system';
import { allLinesOf, ioError, linesOf, numbered, rig, temporaryFolder } from './log-rig';

const refused = (code: string): unknown => expect.objectContaining({ code });

describe('LogFiles', () => {
  it('creates the folders and appends behind what is there', async () => {
    const { folder, logs } = rig();
    const path = join(folder, 'a/b/cam.log');
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(path, 'old\n');
    await logs.append(path, 'new');
    await logs.append(join(folder, 'x/y/z/cam.log'), 'ñ 📷');
    expect(linesOf(path)).toEqual(['old', 'new']);
    expect(linesOf(join(folder, 'x/y/z/cam.log'))).toEqual(['ñ 📷']);
  });

  it('has the line in the file when append resolves', async () => {
    const { folder, logs } = rig();
    const path = join(folder, 'cam.log');
    for (const line of numbered(20)) {
      await logs.append(path, line);
      expect(linesOf(path).at(-1)).toBe(line);
    }
  });

  it('starts a new line behind one that a killed process cut short', async () => {
    const { folder, logs } = rig();
    const path = join(folder, 'cam.log');
    writeFileSync(path, 'whole\nhal');
    await logs.append(path, 'next');
    expect(linesOf(path)).toEqual(['whole', 'hal', 'next']);
  });

  it('keeps the lines of one file in order however the operating system cuts the writes', async () => {
    const { folder, disk, logs } = rig({ maxBytes: 5000, maxFiles: 100 });
    disk.maxWrite = 7;
    const path = join(folder, 'cam.log');
    const lines = numbered(1000);
    await Promise.all(lines.map((line) => logs.append(path, line)));
    expect(allLinesOf(path)).toEqual(lines);
  });

  it('takes two spellings of a path for one file', async () => {
    const { folder, disk, logs } = rig();
    await Promise.all([logs.append(join(folder, 'cam.log'), 'a'), logs.append(`${folder}/x/../cam.log`, 'b')]);
    expect(linesOf(join(folder, 'cam.log'))).toEqual(['a', 'b']);
    expect(disk.mostOpen).toBe(1);
  });

  it('refuses lines once it is closed, and writes all that came before', async () => {
    const { folder, disk, logs } = rig();
    const paths = ['a', 'b', 'c'].map((name) => join(folder, `${name}.log`));
    const lines = numbered(3000);
    const appended = lines.flatMap((line) => paths.map((path) => logs.append(path, line)));
    await logs.close();
    for (const path of paths) expect(linesOf(path)).toEqual(lines);
    await Promise.all(appended);
    expect(disk.handles).toBe(0);
    await expect(logs.append(join(folder, 'a.log'), 'late')).rejects.toEqual(refused('FILE_UNWRITABLE'));
    await logs.close();
  });
});

describe('rotation', () => {
  it('loses no line and keeps the order over 20,000 lines', async () => {
    const { folder, logs } = rig({ maxBytes: 10_000, maxFiles: 100 });
    const path = join(folder, 'cam.log');
    const lines = numbered(20_000);
    const appended: Promise<void>[] = [];
    for (const [index, line] of lines.entries()) {
      const append = logs.append(path, line);
      appended.push(append);
      if (index % 700 === 0) await append;
    }
    await Promise.all(appended);

    const files = readdirSync(folder).length;
    expect(files).toBe(Math.ceil(20_000 / Math.floor(10_000 / 12)));
    for (let index = 1; index < files; index++) expect(statSync(`${path}.${index}`).size).toBe(9996);
    expect(allLinesOf(path)).toEqual(lines);
  });

  it('keeps as many old files as asked for, the newest as .1', async () => {
    const { folder, logs } = rig({ maxBytes: 24, maxFiles: 3 });
    const path = join(folder, 'cam.log');
    for (const line of numbered(21)) await logs.append(path, line);
    expect(readdirSync(folder).sort()).toEqual(['cam.log', 'cam.log.1', 'cam.log.2', 'cam.log.3']);
    expect(linesOf(path)).toEqual(numbered(1, 20));
    expect(linesOf(`${path}.1`)).toEqual(numbered(2, 18));
    expect(linesOf(`${path}.3`)).toEqual(numbered(2, 14));
  });

  it('fills a file to the last byte and counts what an earlier run wrote', async () => {
    const { folder, logs } = rig({ maxBytes: 10, maxFiles: 1 });
    const path = join(folder, 'cam.log');
    writeFileSync(path, '1234\n');
    await logs.append(path, '6789');
    expect(existsSync(`${path}.1`)).toBe(false);
    await logs.append(path, '');
    expect(linesOf(`${path}.1`)).toEqual(['1234', '6789']);
    expect(linesOf(path)).toEqual(['']);
  });

  it('gives a line longer than a file a file of its own', async () => {
    const { folder, logs } = rig({ maxBytes: 10, maxFiles: 3 });
    const path = join(folder, 'cam.log');
    const long = 'x'.repeat(50);
    await Promise.all(['a', long, 'b'].map((line) => logs.append(path, line)));
    expect([`${path}.2`, `${path}.1`, path].map(linesOf)).toEqual([['a'], [long], ['b']]);
  });

  it.each([{ maxBytes: 0 }, { maxFiles: 0, maxBytes: 10 }])('never rotates with %o', async (options) => {
    const { folder, logs } = rig(options);
    for (const line of numbered(30)) await logs.append(join(folder, 'cam.log'), line);
    expect(readdirSync(folder)).toEqual(['cam.log']);
  });

  it('pushes no old file out by trying a failed rotation again', async () => {
    const { folder, clock, disk, logs, changes } = rig({ maxBytes: 24, maxFiles: 3 });
    const path = join(folder, 'cam.log');
    for (const line of numbered(8)) await logs.append(path, line);
    const rename = disk.rename.bind(disk);
    disk.rename = (from, to) => (from === path ? Promise.reject(ioError('EACCES')) : rename(from, to));
    const appended = logs.append(path, 'line 000008');
    await clock.fire();
    await clock.fire();
    await clock.armed();
    disk.rename = rename;
    await clock.fire();
    await appended;
    expect(changes).toEqual(['down cam.log EACCES', 'up cam.log']);
    expect(allLinesOf(path)).toEqual(numbered(7, 2));
  });

  it('loses nothing when two nodes write to one file', async () => {
    const { folder, clock, logs } = rig({ maxBytes: 2400, maxFiles: 50 });
    const other = new LogFiles({ maxBytes: 2400, maxFiles: 50, clock });
    const path = join(folder, 'cam.log');
    const lines = numbered(2000);
    for (let from = 0; from < lines.length; from += 50) {
      const some = lines.slice(from, from + 50);
      await Promise.all(some.map((line, index) => (index % 2 === 0 ? logs : other).append(path, line)));
      clock.pass(100);
    }
    await other.close();
    const found = readdirSync(folder).flatMap((name) => linesOf(join(folder, name)));
    expect(found.sort()).toEqual(lines);
  });
});

describe('a file that goes away while it is open', () => {
  it.each([
    ['its folder is deleted', (folder: string) => rmSync(folder, { recursive: true })],
    ['it is deleted', (folder: string) => rmSync(join(folder, 'cam.log'))],
    ['logrotate moves it', (folder: string) => renameSync(join(folder, 'cam.log'), join(folder, 'cam.log.old'))],
    ['another file takes its place', (folder: string) => {
      rmSync(join(folder, 'cam.log'));
      writeFileSync(join(folder, 'cam.log'), '');
    }],
  ])('is created anew when %s', async (_, harm) => {
    const { folder, clock, logs, changes } = rig();
    const path = join(folder, 'logs/cam.log');
    await logs.append(path, 'before');
    harm(join(folder, 'logs'));
    clock.pass(1000);
    await logs.append(path, 'after');
    expect(linesOf(path)).toEqual(['after']);
    expect(changes).toEqual([]);
  });

  it('looks at most once a second', async () => {
    const { folder, clock, disk, logs } = rig();
    let looks = 0;
    const { facts } = disk;
    disk.facts = (path) => {
      looks++;
      return facts(path);
    };
    for (const line of numbered(50)) {
      clock.pass(100);
      await logs.append(join(folder, 'cam.log'), line);
    }
    expect(looks).toBeGreaterThan(3);
    expect(looks).toBeLessThanOrEqual(5);
  });

  it('goes on at the new size when logrotate cuts it', async () => {
    const { folder, clock, logs } = rig({ maxBytes: 24, maxFiles: 3 });
    const path = join(folder, 'cam.log');
    for (const line of numbered(2)) await logs.append(path, line);
    truncateSync(path);
    clock.pass(1000);
    for (const line of numbered(2, 2)) await logs.append(path, line);
    expect(linesOf(path)).toEqual(numbered(2, 2));
    expect(existsSync(`${path}.1`)).toBe(false);
  });

  it('is left alone by a rotation that is not its turn any more', async () => {
    const { folder, logs } = rig({ maxBytes: 24, maxFiles: 3 });
    const path = join(folder, 'cam.log');
    for (const line of numbered(2)) await logs.append(path, line);
    renameSync(path, `${path}.1`); // another process has just rotated
    writeFileSync(path, '');
    await logs.append(path, 'line 000002');
    expect([`${path}.1`, path].map(linesOf)).toEqual([numbered(2), numbered(1, 2)]);
    expect(existsSync(`${path}.2`)).toBe(false);
  });
});

describe('a file that cannot be written', () => {
  it.each(['ENOSPC', 'EIO', 'EROFS', 'EDQUOT'])('keeps the lines through %s, says so once, and once that it is back', async (code) => {
    const { folder, clock, disk, logs, changes, reasons } = rig();
    const path = join(folder, 'cam.log');
    await logs.append(path, 'line 000000');
    disk.failing.set('write', code);
    const appended = numbered(500, 1).map((line) => logs.append(path, line));
    for (let attempt = 0; attempt < 8; attempt++) await clock.fire();
    expect(changes).toEqual([`down cam.log ${code}`]);
    expect(reasons[0]).toMatchObject({ code: 'FILE_UNWRITABLE', message: expect.stringContaining(`${path} cannot be written: `) });
    expect(reasons[0]!.message).toContain(code);
    await clock.armed();
    disk.failing.clear();
    await clock.fire();
    await Promise.all(appended);
    expect(linesOf(path)).toEqual(numbered(501));
    expect(changes).toEqual([`down cam.log ${code}`, 'up cam.log']);
    expect(disk.handles).toBe(1);
  });

  it('waits longer from failure to failure, never more than 5 seconds, and starts anew after a success', async () => {
    const { folder, clock, disk, logs } = rig();
    const path = join(folder, 'cam.log');
    for (let round = 0; round < 2; round++) {
      disk.failing.set('write', 'EIO');
      const appended = logs.append(path, 'x');
      for (let attempt = 0; attempt < 5; attempt++) await clock.fire();
      await clock.armed();
      disk.failing.clear();
      await clock.fire();
      await appended;
    }
    const once = [1500, 2250, 3375, 5000, 5000, 5000];
    expect(clock.waits).toEqual([...once, ...once]);
  });

  it('loses no line on a disk that fills up in the middle of one', async () => {
    const { folder, clock, disk, logs, changes } = rig({ maxBytes: 2400, maxFiles: 100 });
    const path = join(folder, 'cam.log');
    const lines = numbered(1000);
    const appended = lines.map((line) => logs.append(path, line));
    for (disk.free = 1003; ; disk.free = 1003) {
      const done = await Promise.race([Promise.all(appended).then(() => true), clock.armed().then(() => false)]);
      if (done) break;
      await clock.fire();
    }
    const whole = new Set(lines);
    const found = allLinesOf(path);
    expect(found.filter((line) => whole.has(line))).toEqual(lines);
    for (const line of found) expect(lines.some((other) => other.startsWith(line))).toBe(true);
    expect(found.length).toBeGreaterThan(lines.length);
    expect(changes.filter((change) => change.startsWith('down')).length).toBe(changes.length / 2);
  });

  it('acknowledges the lines in front of the one that no longer fits', async () => {
    const { folder, disk, logs } = rig();
    disk.free = 30;
    const settled = Promise.allSettled(numbered(4).map((line) => logs.append(join(folder, 'cam.log'), line)));
    await logs.close();
    expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect(linesOf(join(folder, 'cam.log'))).toEqual([...numbered(2), 'line 0']);
  });

  it('does not hold up the other files', async () => {
    const { folder, clock, logs, changes } = rig({ maxOpen: 1 });
    mkdirSync(join(folder, 'bad.log'));
    const bad = logs.append(join(folder, 'bad.log'), 'x');
    await clock.armed();
    await logs.append(join(folder, 'good.log'), 'y');
    expect(linesOf(join(folder, 'good.log'))).toEqual(['y']);
    expect(changes).toEqual(['down bad.log EISDIR']);

    rmSync(join(folder, 'bad.log'), { recursive: true });
    await clock.fire();
    await bad;
    expect(linesOf(join(folder, 'bad.log'))).toEqual(['x']);
  });

  it.each([
    ['a file is in the way of the folder', (folder: string) => writeFileSync(join(folder, 'logs'), ''), 'ENOTDIR'],
    ['the path is a pipe', (folder: string) => {
      mkdirSync(join(folder, 'logs'));
      execFileSync('mkfifo', [join(folder, 'logs/cam.log')]);
    }, 'ENOTFILE'],
  ])('says so when %s', async (_, harm, code) => {
    const { folder, clock, logs, disk, changes } = rig();
    harm(folder);
    const appended = logs.append(join(folder, 'logs/cam.log'), 'x');
    await clock.armed();
    expect(changes).toEqual([`down logs/cam.log ${code}`]);
    expect(disk.handles).toBe(0);
    rmSync(join(folder, 'logs'), { recursive: true });
    await clock.fire();
    await appended;
  });

  it.skipIf(process.getuid?.() === 0)('waits for the permission', async () => {
    const { folder, clock, logs, changes } = rig();
    chmodSync(folder, 0o500);
    const appended = logs.append(join(folder, 'cam.log'), 'x');
    await clock.armed();
    expect(changes).toEqual(['down cam.log EACCES']);
    chmodSync(folder, 0o700);
    await clock.fire();
    await appended;
    expect(linesOf(join(folder, 'cam.log'))).toEqual(['x']);
  });

  it('gives up at close after one more try, and rejects what waits', async () => {
    const { folder, clock, disk, logs, changes } = rig();
    disk.failing.set('open', 'EACCES');
    const settled = Promise.allSettled(numbered(3).map((line) => logs.append(join(folder, 'cam.log'), line)));
    await clock.armed();
    await logs.close();
    expect(await settled).toEqual(Array(3).fill({ status: 'rejected', reason: refused('FILE_UNWRITABLE') }));
    expect(clock.waits).toHaveLength(1);
    expect(changes).toEqual(['down cam.log EACCES']);
  });

  it('writes what waits at close when the file has come back by then', async () => {
    const { folder, clock, disk, logs, changes } = rig();
    disk.failing.set('write', 'ENOSPC');
    const appended = numbered(3).map((line) => logs.append(join(folder, 'cam.log'), line));
    await clock.armed();
    disk.failing.clear();
    await logs.close();
    await Promise.all(appended);
    expect(linesOf(join(folder, 'cam.log'))).toEqual(numbered(3));
    expect(changes).toEqual(['down cam.log ENOSPC', 'up cam.log']);
  });
});

describe('the backlog', () => {
  it('refuses the line that no longer fits, not the earlier ones', async () => {
    const { folder, clock, disk, logs } = rig({ maxPendingBytes: 10 * (12 + 256) });
    const path = join(folder, 'cam.log');
    disk.failing.set('write', 'ENOSPC');
    const settled = Promise.allSettled(numbered(12).map((line) => logs.append(path, line)));
    await clock.armed();
    disk.failing.clear();
    await clock.fire();
    const outcomes = await settled;
    expect(outcomes.slice(0, 10).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(outcomes.slice(10)).toEqual(Array(2).fill({ status: 'rejected', reason: refused('FILE_BACKLOG_FULL') }));
    await logs.append(path, 'line 000010');
    expect(linesOf(path)).toEqual(numbered(11));
  });

  it('is bounded over all files together, however many names the devices make up', async () => {
    const { folder, disk, logs } = rig({ maxTotalPendingBytes: 10 * (12 + 256) });
    disk.failing.set('open', 'ENOSPC');
    const settled = Promise.allSettled(numbered(12).map((line) => logs.append(join(folder, `${line}.log`), line)));
    await logs.close();
    const codes = (await settled).map((outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code);
    expect(codes.slice(0, 10)).toEqual(Array(10).fill('FILE_UNWRITABLE'));
    expect(codes.slice(10)).toEqual(Array(2).fill('FILE_BACKLOG_FULL'));
  });
});

describe('open files', () => {
  it('are never more than asked for, however many paths are written at once', async () => {
    const { folder, disk, logs } = rig({ maxOpen: 4 });
    const paths = Array.from({ length: 50 }, (_, index) => join(folder, `cam-${index}.log`));
    const lines = numbered(40);
    await Promise.all(lines.flatMap((line) => paths.map((path) => logs.append(path, line))));
    for (const line of numbered(3, 40)) for (const path of paths) await logs.append(path, line);
    for (const path of paths) expect(linesOf(path)).toEqual(numbered(43));
    expect(disk.mostOpen).toBe(4);
    await logs.close();
    expect(disk.handles).toBe(0);
  });

  it('stay open for the paths used last', async () => {
    const { folder, disk, logs } = rig({ maxOpen: 2 });
    const opened: string[] = [];
    const open = disk.open.bind(disk);
    disk.open = (path) => {
      opened.push(path.slice(folder.length + 1));
      return open(path);
    };
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await logs.append(join(folder, name), 'x');
    expect(opened).toEqual(['a', 'b', 'c', 'b']);
  });
});

describe('on a real disk that is full', () => {
  const mounted = (): string | undefined => {
    const folder = temporaryFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    onTestFinished(() => {
      execFileSync('umount', [folder]);
    });
    return folder;
  };

  it('keeps every line and their order until there is space', async ({ skip }) => {
    const disk = mounted();
    if (disk === undefined) skip('mounting a small disk is not permitted here');
    const { clock, logs, changes } = rig({ fs: nodeFileSystem });
    const ballast = join(disk!, 'ballast');
    writeFileSync(ballast, Buffer.alloc(40_000));
    const path = join(disk!, 'cam.log');
    const lines = numbered(4000);
    const appended = lines.map((line) => logs.append(path, line));
    await clock.fire();
    await clock.fire();
    await clock.armed();
    expect(changes).toHaveLength(1);
    rmSync(ballast);
    await clock.fire();
    await Promise.all(appended);
    expect(changes).toHaveLength(2);
    const whole = new Set(lines);
    const found = linesOf(path);
    expect(found.filter((line) => whole.has(line))).toEqual(lines);
    expect(found.length - lines.length).toBeLessThanOrEqual(1);
  });
});
