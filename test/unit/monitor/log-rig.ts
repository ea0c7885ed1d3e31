/** What the log tests share: a folder of their own, a clock that stands still, a file system that can be broken. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../../nodes/kit/clock';
import type { CodedError } from '../../../nodes/kit/errors';
import { LogFiles, type LogFilesOptions } from '../../../nodes/monitor/log-file';
import { nodeFileSystem, type LogFileSystem } from '../../../nodes/monitor/log-system';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'event-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Time moves only by `pass`; the next timer fires only by `fire`, which waits until there is one. */
export class ManualClock implements Clock {
  readonly waits: number[] = [];
  #now = 0;
  #timer: (() => void) | undefined;
  #armed: (() => void) | undefined;

  now = (): number => this.#now;
  monotonic = (): number => this.#now;

  after(ms: number, run: () => void): () => void {
    this.waits.push(ms);
    this.#timer = run;
    this.#armed?.();
    return () => {
      if (this.#timer === run) this.#timer = undefined;
    };
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  /** Until something waits for time to pass. */
  async armed(): Promise<void> {
    if (!this.#timer) await new Promise<void>((resolve) => (this.#armed = resolve));
  }

  async fire(): Promise<void> {
    await this.armed();
    const timer = this.#timer;
    this.#timer = undefined;
    timer?.();
  }
}

export const ioError = (code: string): Error => Object.assign(new Error(`${code}: made up`), { code });

/** The real file system with a disk that can be full or broken. */
export class BrittleDisk implements LogFileSystem {
  /** Bytes that still fit. */
  free = Infinity;
  /** Code that every operation of this kind fails with. */
  readonly failing = new Map<'open' | 'write', string>();
  /** Largest write that is taken at once, bytes. */
  maxWrite = Infinity;
  handles = 0;
  mostOpen = 0;

  async open(path: string): ReturnType<LogFileSystem['open']> {
    this.#check('open');
    this.mostOpen = Math.max(this.mostOpen, ++this.handles);
    const handle = await nodeFileSystem.open(path).catch((error: unknown) => {
      this.handles--;
      throw error;
    });
    return {
      ...handle,
      write: async (bytes, offset) => {
        this.#check('write');
        if (this.free === 0) throw ioError('ENOSPC');
        const taken = Math.min(bytes.length - offset, this.free, this.maxWrite);
        this.free -= taken;
        return handle.write(bytes.subarray(0, offset + taken), offset);
      },
      close: async () => {
        await handle.close();
        this.handles--;
      },
    };
  }

  async makeFolder(path: string): Promise<void> {
    await nodeFileSystem.makeFolder(path);
  }

  facts = (path: string): ReturnType<LogFileSystem['facts']> => nodeFileSystem.facts(path);

  async rename(from: string, to: string): Promise<void> {
    await nodeFileSystem.rename(from, to);
  }

  #check(kind: 'open' | 'write'): void {
    const code = this.failing.get(kind);
    if (code !== undefined) throw ioError(code);
  }
}

export interface Rig {
  folder: string;
  clock: ManualClock;
  disk: BrittleDisk;
  logs: LogFiles;
  /** `down path code errno` and `up path`, in order. */
  changes: string[];
  reasons: CodedError[];
}

export function rig(options: LogFilesOptions = {}): Rig {
  const folder = temporaryFolder();
  const clock = new ManualClock();
  const disk = new BrittleDisk();
  const changes: string[] = [];
  const reasons: CodedError[] = [];
  const logs = new LogFiles({
    clock,
    fs: disk,
    random: () => 0,
    onDown: (path, reason) => {
      const { code } = reason.cause as { code?: string };
      changes.push(`down ${path.slice(folder.length + 1)} ${code}`);
      reasons.push(reason);
    },
    onUp: (path) => changes.push(`up ${path.slice(folder.length + 1)}`),
    ...options,
  });
  onTestFinished(() => logs.close());
  return { folder, clock, disk, logs, changes, reasons };
}

/** The lines of a file, without the empty text behind the last line end. */
export function linesOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** The lines of a log with its old files, oldest first. */
export function allLinesOf(path: string): string[] {
  const lines = linesOf(path);
  for (let index = 1; existsSync(`${path}.${index}`); index++) lines.unshift(...linesOf(`${path}.${index}`));
  return lines;
}

export const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `line ${String(from + index).padStart(6, '0')}`);
