/**
 * Lines to many log files at once, with size rotation, an honest acknowledgement and nothing lost when the disk is full.
 *
 * Written on file handles because rotating-file-stream ignores short writes: on a disk that fills up it acknowledged
 * 11 lines of which 10 were in the file, and after an error it cannot tell which lines of a batch it had written.
 */
import { resolve } from 'node:path';
import { systemClock, type Clock, type Random } from '../kit/clock';
import { CodedError } from '../kit/errors';
import { OpenLogs } from './log-pool';
import { LogQueue, type Backlog, type LogQueueSettings } from './log-queue';
import { nodeFileSystem, type LogFileSystem } from './log-system';

export interface LogFilesOptions {
  /** A file that a line would push over this size is rotated first, bytes. 0 never rotates. Default 10,000,000. */
  maxBytes?: number;
  /** Old files kept as `path.1` (newest) to `path.N`. 0 never rotates. Default 5. */
  maxFiles?: number;
  /** File handles held open at most. Default 64. */
  maxOpen?: number;
  /** What may wait in memory for one file, bytes; each line counts 256 on top of its own. Default 16 MiB. */
  maxPendingBytes?: number;
  /** The same for all files together: names come from devices, so their number is not ours. Default 64 MiB. */
  maxTotalPendingBytes?: number;
  /** A file stopped taking lines (FILE_UNWRITABLE); called once until it is up again. Must not throw. */
  onDown?: (path: string, reason: CodedError) => void;
  /** The file takes lines again. Must not throw. */
  onUp?: (path: string) => void;
  clock?: Clock;
  random?: Random;
  fs?: LogFileSystem;
}

export class LogFiles {
  readonly #logs: OpenLogs;
  readonly #settings: LogQueueSettings;
  readonly #backlog: Backlog = { bytes: 0 };
  /** Only paths for which lines wait. */
  readonly #queues = new Map<string, LogQueue>();
  #closing: Promise<void> | undefined;

  constructor(options: LogFilesOptions = {}) {
    const { maxBytes = 10_000_000, maxFiles = 5, maxOpen = 64, fs = nodeFileSystem, clock = systemClock } = options;
    this.#logs = new OpenLogs({ maxBytes, maxFiles, fs, clock }, maxOpen);
    this.#settings = {
      maxPendingBytes: options.maxPendingBytes ?? 16 * 1024 * 1024,
      maxTotalPendingBytes: options.maxTotalPendingBytes ?? 64 * 1024 * 1024,
      onDown: options.onDown ?? (() => undefined),
      onUp: options.onUp ?? (() => undefined),
      clock,
      random: options.random ?? Math.random,
    };
  }

  /**
   * Appends one line (without its line end) to the file, whose folders are created as needed. Resolves when the
   * operating system has the whole line; lines of one path keep their order. While the file cannot be written the
   * line waits, and is tried again at least every 5 seconds.
   * Rejects with FILE_BACKLOG_FULL when too much waits already (the earlier lines keep waiting), and with
   * FILE_UNWRITABLE when {@link close} found the file still unwritable, or was called before.
   * Callbacks name the path in its absolute form.
   */
  append(path: string, line: string): Promise<void> {
    if (this.#closing) return Promise.reject(new CodedError('FILE_UNWRITABLE', `${path}: the log is closed`));
    const absolute = resolve(path);
    const queue =
      this.#queues.get(absolute) ??
      new LogQueue(absolute, this.#logs, this.#settings, this.#backlog, () => this.#queues.delete(absolute));
    const appended = queue.append(line);
    if (!queue.empty) this.#queues.set(absolute, queue);
    return appended;
  }

  /** Writes what waits and closes all files. Tries an unwritable file once more, without waiting. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#queues.values()].map((queue) => queue.close())).then(() => this.#logs.close());
    return this.#closing;
  }
}
