/**
 * One open log file: appends lines, rotates as Python's RotatingFileHandler names its files (`x.log`, `x.log.1` the
 * newest of the old ones, …), follows the path when the file behind it is deleted or moved away.
 * Throws what the file system throws; whoever holds it closes it after an error and opens it anew.
 */
import { dirname } from 'node:path';
import type { Clock } from '../kit/clock';
import { errnoOf, type FileFacts, type LogFileHandle, type LogFileSystem } from './log-system';

export interface Line {
  /** With its line end. */
  readonly text: string;
  /** Length in UTF-8. */
  readonly bytes: number;
}

export interface OpenLogSettings {
  /** Largest size of a file, bytes; a longer line has a file of its own. 0 never rotates. */
  maxBytes: number;
  /** How many old files are kept beside the current one. 0 never rotates. */
  maxFiles: number;
  fs: LogFileSystem;
  clock: Clock;
}

/** How often the path is compared with the open file while lines flow, ms. */
const LOOK_EVERY_MS = 1000;

const LINE_FEED = 10;

/** Two nodes of one process may log to one file; their rotations must not interleave. */
const rotations = new Map<string, Promise<void>>();

export class OpenLog {
  readonly path: string;
  readonly #settings: OpenLogSettings;
  readonly #limit: number;
  #handle: LogFileHandle | undefined;
  #identity = '';
  #size = 0;
  /** The file ends in the middle of a line: a full disk or a killed process cut it short. */
  #torn = false;
  #lookedAt = 0;

  private constructor(path: string, settings: OpenLogSettings) {
    this.path = path;
    this.#settings = settings;
    this.#limit = settings.maxBytes > 0 && settings.maxFiles > 0 ? settings.maxBytes : Infinity;
  }

  static async open(path: string, settings: OpenLogSettings): Promise<OpenLog> {
    const log = new OpenLog(path, settings);
    try {
      await log.#open();
    } catch (error) {
      await log.close();
      throw error;
    }
    return log;
  }

  /**
   * Appends the lines in order. `written(n)` is called as soon as the operating system has the next n of them whole,
   * so that after an error the caller knows which ones are still to be written.
   */
  async write(lines: readonly Line[], written: (count: number) => void): Promise<void> {
    await this.#followPath();
    let from = 0;
    while (from < lines.length) {
      const to = this.#fitting(lines, from);
      if (to === from) await this.#rotate();
      else await this.#put(lines.slice(from, to), written);
      from = to;
    }
  }

  /** Never rejects: what was written has been acknowledged, and there is nothing left to undo. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => undefined);
  }

  async #open(): Promise<void> {
    const { fs, clock } = this.#settings;
    this.#handle = await fs.open(this.path).catch(async (error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
      await fs.makeFolder(dirname(this.path));
      return fs.open(this.path);
    });
    const facts = await this.#handle.facts();
    if (!facts.isFile) throw Object.assign(new Error('not a regular file'), { code: 'ENOTFILE' });
    this.#identity = facts.identity;
    this.#size = facts.size;
    this.#torn = facts.size > 0 && (await this.#handle.byteAt(facts.size - 1)) !== LINE_FEED;
    this.#lookedAt = clock.monotonic();
  }

  /** Index behind the last line that still fits, `from` if none does. */
  #fitting(lines: readonly Line[], from: number): number {
    let size = this.#size + (this.#torn ? 1 : 0);
    let to = from;
    for (let line = lines[to]; line; line = lines[++to]) {
      const alone = this.#size === 0 && to === from;
      size += line.bytes;
      if (size > this.#limit && !alone) break;
    }
    return to;
  }

  async #put(lines: readonly Line[], written: (count: number) => void): Promise<void> {
    const lead = this.#torn ? '\n' : '';
    const bytes = Buffer.from(lead + lines.map((line) => line.text).join(''));
    let offset = 0;
    let end = lead.length;
    let next = 0;
    while (offset < bytes.length) {
      const taken = (await this.#handle?.write(bytes, offset)) ?? 0;
      if (taken === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
      offset += taken;
      this.#size += taken;
      const before = next;
      for (let line = lines[next]; line && end + line.bytes <= offset; line = lines[++next]) end += line.bytes;
      if (next > before) written(next - before);
    }
    this.#torn = false;
  }

  /** Opens the path anew if what is there is no longer the file that is open. */
  async #followPath(): Promise<void> {
    const now = this.#settings.clock.monotonic();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    const there = await this.#factsOf(this.path);
    if (there?.identity === this.#identity) {
      this.#size = there.size; // another process may write to it, or have cut it
      return;
    }
    await this.close();
    await this.#open();
  }

  async #rotate(): Promise<void> {
    const before = rotations.get(this.path) ?? Promise.resolve();
    const turn = before.then(async () => {
      const there = await this.#factsOf(this.path);
      await this.close(); // Windows renames no open file
      if (there?.identity === this.#identity) await this.#shift();
      await this.#open();
    });
    const settled = turn.catch(() => undefined);
    rotations.set(this.path, settled);
    try {
      await turn;
    } finally {
      if (rotations.get(this.path) === settled) rotations.delete(this.path);
    }
  }

  /**
   * Makes room up to the first gap only: when a rename fails half-way, trying again moves what is still to be moved
   * and pushes no further old file out.
   */
  async #shift(): Promise<void> {
    const { fs, maxFiles } = this.#settings;
    const old = (index: number): string => `${this.path}.${index}`;
    let gap = 1;
    while (gap < maxFiles && (await this.#factsOf(old(gap)))) gap++;
    for (let index = gap; index > 1; index--) await fs.rename(old(index - 1), old(index));
    await fs.rename(this.path, old(1));
  }

  async #factsOf(path: string): Promise<FileFacts | undefined> {
    try {
      return await this.#settings.fs.facts(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }
}
