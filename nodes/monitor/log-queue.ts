/** The lines that wait for one file: written in batches, in order, again and again until the file takes them. */
import { Backoff } from '../kit/backoff';
import { pause, type Clock, type Random } from '../kit/clock';
import { CodedError } from '../kit/errors';
import type { Line, OpenLog } from './log-open';
import type { OpenLogs } from './log-pool';
import { unwritable } from './log-system';

/** Bytes waiting in all queues together. */
export interface Backlog {
  bytes: number;
}

export interface LogQueueSettings {
  /** Limit of this queue and of all queues, bytes. */
  maxPendingBytes: number;
  maxTotalPendingBytes: number;
  onDown: (path: string, reason: CodedError) => void;
  onUp: (path: string) => void;
  clock: Clock;
  random: Random;
}

interface PendingLine extends Line {
  resolve: () => void;
  reject: (reason: CodedError) => void;
}

/** Handed to the operating system at once, bytes: enough that the system call is not what costs. */
const BATCH_BYTES = 256 * 1024;

/** What a waiting line costs beside its text: the promise, the entry and whatever the caller keeps for it. Bytes. */
const LINE_OVERHEAD = 256;

const RETRY = { base: 1.5, max: 5 };

export class LogQueue {
  readonly #path: string;
  readonly #logs: OpenLogs;
  readonly #settings: LogQueueSettings;
  readonly #backlog: Backlog;
  readonly #drained: () => void;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  readonly #lines: PendingLine[] = [];
  #pendingBytes = 0;
  #down = false;
  #draining: Promise<void> | undefined;

  /** @param drained called whenever no line waits any more */
  constructor(path: string, logs: OpenLogs, settings: LogQueueSettings, backlog: Backlog, drained: () => void) {
    this.#path = path;
    this.#logs = logs;
    this.#settings = settings;
    this.#backlog = backlog;
    this.#drained = drained;
    this.#backoff = new Backoff(RETRY, settings.random);
  }

  /** No line waits. */
  get empty(): boolean {
    return this.#lines.length === 0;
  }

  /** Resolves when the operating system has the line. Rejects with FILE_BACKLOG_FULL or FILE_UNWRITABLE. */
  append(text: string): Promise<void> {
    const line = { text: `${text}\n`, bytes: Buffer.byteLength(text) + 1 };
    const cost = line.bytes + LINE_OVERHEAD;
    const { maxPendingBytes, maxTotalPendingBytes } = this.#settings;
    if (this.#pendingBytes + cost > maxPendingBytes || this.#backlog.bytes + cost > maxTotalPendingBytes) {
      const waiting = `${this.#lines.length} lines wait for ${this.#path}`;
      return Promise.reject(new CodedError('FILE_BACKLOG_FULL', `${waiting}, no more fit in memory; this one is refused`));
    }
    return new Promise((resolve, reject) => {
      this.#count(cost);
      this.#lines.push({ ...line, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Writes what waits. If the file does not take it now, the lines that are left reject with FILE_UNWRITABLE. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#lines.length > 0) {
      try {
        await this.#writeBatch();
      } catch (error) {
        const reason = unwritable(this.#path, error);
        this.#isDown(reason);
        if (this.#closing.signal.aborted) this.#giveUp(reason);
        else await pause(this.#settings.clock, this.#backoff.next(), this.#closing.signal);
      }
    }
    this.#draining = undefined;
    this.#drained();
  }

  async #writeBatch(): Promise<void> {
    const log: OpenLog = await this.#logs.take(this.#path);
    try {
      const batch = this.#nextBatch();
      let left = batch.length;
      await log.write(batch, (count) => {
        left -= count;
        if (left === 0) this.#isUp(); // not before: on a disk with a little space it would be up and down in turn
        for (const line of this.#shift(count)) line.resolve();
      });
    } catch (error) {
      await this.#logs.discard(log);
      throw error;
    }
    this.#logs.release(log);
  }

  #nextBatch(): PendingLine[] {
    let bytes = 0;
    const full = this.#lines.findIndex((line) => (bytes += line.bytes) >= BATCH_BYTES);
    return this.#lines.slice(0, full === -1 ? undefined : full + 1);
  }

  #shift(count: number): PendingLine[] {
    const lines = this.#lines.splice(0, count);
    for (const line of lines) this.#count(-line.bytes - LINE_OVERHEAD);
    return lines;
  }

  #count(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#backlog.bytes += bytes;
  }

  #giveUp(reason: CodedError): void {
    for (const line of this.#shift(this.#lines.length)) line.reject(reason);
  }

  #isDown(reason: CodedError): void {
    if (this.#down) return;
    this.#down = true;
    this.#settings.onDown(this.#path, reason);
  }

  #isUp(): void {
    if (!this.#down) return;
    this.#down = false;
    this.#backoff.reset();
    this.#settings.onUp(this.#path);
  }
}
