/**
 * A file that people edit while the flow runs. It is looked at each second rather than watched by the operating system, whose
 * notifications do not come through bind mounts and network shares. What was last read well stays in force while the file is
 * missing, unreadable or wrong.
 */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import type { Clock } from './clock';
import { CodedError, coded } from './errors';

export interface WatchedFileFacts {
  /** Another text as soon as the file was written to or replaced. */
  stamp: string;
  /** Bytes. */
  size: number;
  isFile: boolean;
}

/** Rejects with Node's errors (`error.code` = ENOENT, EACCES, …). */
export interface WatchedFileSystem {
  facts(path: string): Promise<WatchedFileFacts>;
  /** The file's bytes, or its first `limit`. */
  read(path: string, limit: number): Promise<Buffer>;
}

/** The callbacks must not throw; in a node, wrap them with `kit.guard`. */
export interface WatchedFileOptions<T> {
  path: string;
  /** From the text, without byte order mark; what it throws becomes FILE_INVALID unless it is coded. */
  parse: (text: string) => T;
  /** A new content was read well, the first one included. */
  changed: (value: T) => void;
  /** Once per outage: FILE_UNREADABLE, FILE_INVALID, or what `parse` threw. */
  broken?: (error: CodedError) => void;
  /** Once, when the outage is over. */
  recovered?: () => void;
  clock: Clock;
  fs?: WatchedFileSystem;
  everyMs?: number;
  maxBytes?: number;
}

const MEBIBYTE = 1024 * 1024;

/** Some file systems date a change no finer than this, so a second change of the same length may leave the stamp as it is. */
const COARSEST_STAMP_MS = 3000;

type Content<T> = { value: T } | { error: CodedError };

export class WatchedFile<T> {
  readonly #options: Required<WatchedFileOptions<T>>;
  #value: T | undefined;
  #suspect = false;
  #reported = false;

  #stamp: string | undefined;
  #stampSeenAt = 0;
  #hash: string | undefined;
  #content: Content<T> | undefined;

  #looking: Promise<unknown> = Promise.resolve();
  #nextReload: Promise<CodedError | undefined> | undefined;
  #cancel: () => void = () => undefined;
  #closed = false;

  /** Looks at once, then each `everyMs` (1 s) until `close`. */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = {
      broken: () => undefined,
      recovered: () => undefined,
      fs: nodeFileSystem,
      everyMs: 1000,
      maxBytes: 10 * MEBIBYTE,
      ...options,
    };
    void this.reload().then(() => this.#wait());
  }

  /** What was last read well; undefined until then. */
  get value(): T | undefined {
    return this.#value;
  }

  /**
   * Looks now, and sees all that was written before the call. Resolves with what is wrong; never rejects. It does not resolve
   * while the file system does not answer.
   */
  reload(): Promise<CodedError | undefined> {
    return (this.#nextReload ??= this.#afterOthers(() => {
      this.#nextReload = undefined;
      return this.#look(true);
    }));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #wait(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(this.#options.everyMs, () => {
      void this.#afterOthers(() => this.#look(false)).then(() => this.#wait());
    });
  }

  #afterOthers<R>(look: () => Promise<R>): Promise<R> {
    const turn = this.#looking.then(look);
    this.#looking = turn;
    return turn;
  }

  /** @param asked by someone, or for the first time: read whatever the stamp says, and report a failure at first sight */
  async #look(asked: boolean): Promise<CodedError | undefined> {
    const before = this.#content;
    const failure = await this.#read(asked).catch((error: unknown) => {
      this.#stamp = undefined;
      return this.#unreadable(error);
    });
    if (this.#closed) return failure;

    const content = this.#content;
    if (content && content !== before && 'value' in content) {
      this.#value = content.value;
      this.#options.changed(content.value);
    }
    // Editors and copies leave a file half written, or gone, for a moment: only a second look is believed.
    const believed = asked || this.#suspect;
    this.#suspect = failure !== undefined;
    if (failure && believed && !this.#reported) {
      this.#reported = true;
      this.#options.broken(failure);
    } else if (!failure && this.#reported) {
      this.#reported = false;
      this.#options.recovered();
    }
    return failure;
  }

  /** @returns what is wrong with the content; rejects where the file cannot be read */
  async #read(asked: boolean): Promise<CodedError | undefined> {
    const { path, fs, clock, maxBytes } = this.#options;
    const { stamp, size, isFile } = await fs.facts(path);
    if (!isFile) throw this.#unreadable('it is not a regular file');
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#stampSeenAt = clock.monotonic();
    } else if (!asked && clock.monotonic() - this.#stampSeenAt > COARSEST_STAMP_MS) {
      return errorOf(this.#content);
    }

    const bytes = size > maxBytes ? undefined : await fs.read(path, maxBytes + 1);
    if (!bytes || bytes.length > maxBytes) throw this.#unreadable(`it is larger than ${maxBytes / MEBIBYTE} MiB`);
    const hash = createHash('sha256').update(bytes).digest('base64');
    if (hash !== this.#hash) {
      this.#hash = hash;
      this.#content = this.#parse(bytes);
    }
    return errorOf(this.#content);
  }

  #parse(bytes: Buffer): Content<T> {
    const { path, parse } = this.#options;
    try {
      return { value: parse(decode(bytes)) };
    } catch (error) {
      const { code, message } = coded(error, 'FILE_INVALID');
      return { error: new CodedError(code, `${path}: ${message}`, { cause: error }) };
    }
  }

  #unreadable(why: unknown): CodedError {
    if (why instanceof CodedError) return why;
    const words = typeof why === 'string' ? why : wordsOf(why);
    return new CodedError('FILE_UNREADABLE', `${this.#options.path} cannot be read: ${words}`, { cause: why });
  }
}

const errorOf = (content: Content<unknown> | undefined): CodedError | undefined =>
  content && 'error' in content ? content.error : undefined;

/** Windows' editors and shells put a byte order mark in front, or write UTF-16; what is neither would garble names. */
function decode(bytes: Buffer): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CodedError('FILE_INVALID', 'it is not UTF-8 text; save it with the encoding UTF-8', { cause: error });
  }
}

const WORDS = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such folder'],
  ['EACCES', 'this user may not read it'],
  ['EPERM', 'this user may not read it'],
  ['EIO', 'the disk reports an error'],
  ['ESTALE', 'the network share is gone'],
  ['EMFILE', 'this process has too many open files'],
]);

function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return message;
  return `${WORDS.get(code) ?? message} (${code})`;
}

const nodeFileSystem: WatchedFileSystem = {
  async facts(path) {
    // bigint: nanoseconds, and an inode number of NTFS, do not fit a double.
    const stats = await stat(path, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    return { stamp: [dev, ino, size, mtimeNs, ctimeNs].join(), size: Number(size), isFile: stats.isFile() };
  },
  async read(path, limit) {
    const handle = await open(path, 'r');
    try {
      const parts: Buffer[] = [];
      for (let left = limit; left > 0; ) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(left, 64 * 1024)));
        if (bytesRead === 0) break;
        parts.push(buffer.subarray(0, bytesRead));
        left -= bytesRead;
      }
      return Buffer.concat(parts);
    } finally {
      await handle.close();
    }
  },
};
