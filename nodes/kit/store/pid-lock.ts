/**
 * One process per database file: a file `<database>.pid` that names its owner. A living owner refuses everybody else; what a
 * killed one left behind is taken over, with the wasm driver's lock folder (facts/dependencies.md 4).
 */
import { randomUUID } from 'node:crypto';
import { closeSync, futimesSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { CodedError } from '../errors';
import { storeError } from './sqlite-error';

interface Owner {
  pid: number;
  /** When the process started, in a form comparable on this machine only: pids are used again, in containers at every start. */
  started: string | null;
  host: string;
  nonce: string;
}

/** The owner touches its file this often, so that a process of another machine or container on the same volume sees it live. */
const HEARTBEAT_MS = 10_000;
const SILENT_MS = 45_000;

export class PidLock {
  readonly #path: string;
  readonly #fd: number;
  readonly #owner: Owner;
  readonly #heartbeat: NodeJS.Timeout;
  #released = false;

  private constructor(path: string, fd: number, owner: Owner) {
    this.#path = path;
    this.#fd = fd;
    this.#owner = owner;
    this.#heartbeat = setInterval(() => this.#touch(), HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  /** Throws STORE_LOCKED when a living process holds the file, STORE_FAILED when the lock cannot be written. */
  static take(file: string): PidLock {
    const path = `${file}.pid`;
    const owner: Owner = { pid: process.pid, started: startOf(process.pid), host: hostname(), nonce: randomUUID() };
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        const fd = create(path, owner);
        if (fd !== undefined) {
          rmSync(`${file}.lock`, { recursive: true, force: true });
          return new PidLock(path, fd, owner);
        }
        if (!removeDead(path)) break;
      }
    } catch (error) {
      throw storeError(error, file);
    }
    const holder = read(path);
    const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
    throw new CodedError('STORE_LOCKED', `${file}: in use by ${who}. Two Node-RED must not share a user directory; if that process is gone, remove ${path}`);
  }

  /** May be called twice. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#heartbeat);
    try {
      closeSync(this.#fd);
      if (read(this.#path)?.nonce === this.#owner.nonce) rmSync(this.#path, { force: true });
    } catch {
      // Left behind, it names a process that the next start finds dead.
    }
  }

  #touch(): void {
    try {
      const now = new Date();
      futimesSync(this.#fd, now, now);
    } catch {
      // A file system without times: then only processes of this machine are told apart.
    }
  }
}

/** The lock's descriptor, or undefined where there is a lock already. */
function create(path: string, owner: Owner): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
  try {
    writeSync(fd, JSON.stringify(owner));
  } catch {
    // A full disk must not keep the store from being read: an empty lock counts for as long as it is touched.
  }
  return fd;
}

/** Removes the lock of a dead process; false where its owner lives. */
function removeDead(path: string): boolean {
  const judged = read(path);
  if (alive(judged, path)) return false;
  // Two starters may have found it dead, and the faster one have made its own by now: look again at what was taken away.
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  const mistaken = read(aside)?.nonce !== judged?.nonce;
  if (mistaken) renameSync(aside, path);
  else rmSync(aside, { force: true });
  return !mistaken;
}

function alive(owner: Owner | undefined, path: string): boolean {
  if (owner?.host !== hostname()) return Date.now() - lastTouched(path) < SILENT_MS;
  if (!running(owner.pid)) return false;
  const started = startOf(owner.pid);
  return started === null || owner.started === null || started === owner.started;
}

function read(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Owner | null;
    return typeof owner?.pid === 'number' && typeof owner.host === 'string' ? owner : undefined;
  } catch {
    return undefined;
  }
}

function lastTouched(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function running(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Linux: boot and clock ticks at the start of the process. Elsewhere known of this process only; null for others. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in brackets and may hold anything; the start is the 20th after it.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return pid === process.pid ? String(Math.round(performance.timeOrigin)) : null;
  }
}
