/** A simulated Web Endpoint and our client of it, on one clock that stands still. */
import { afterEach } from 'vitest';
import { allCameras, type CameraList } from '../../../../nodes/avigilon/camera-list';
import type { CursorStore } from '../../../../nodes/avigilon/cursor-store';
import { Poller } from '../../../../nodes/avigilon/poller';
import { serverAddress } from '../../../../nodes/avigilon/server-address';
import { Site } from '../../../../nodes/avigilon/site';
import { WepClient, type Transport } from '../../../../nodes/avigilon/wep-client';
import { WepHttp } from '../../../../nodes/avigilon/wep-http';
import { WepSession, type WepLogin } from '../../../../nodes/avigilon/wep-session';
import { Backoff } from '../../../../nodes/kit/backoff';
import type { CameraEvent } from '../../../../nodes/kit/camera-event';
import type { Clock } from '../../../../nodes/kit/clock';
import type { ConnectionState } from '../../../../nodes/kit/connection';
import type { CodedError } from '../../../../nodes/kit/errors';
import { createAgent } from '../../../../nodes/kit/http';
import { LoginGate } from '../../../../nodes/kit/login-gate';
import type { TlsSettings } from '../../../../nodes/kit/tls';
import { startAvigilonServer, type AvigilonServer } from '../../../devices/avigilon/avigilon-server';
import type { EventDraft } from '../../../devices/avigilon/event-log';
import type { AvigilonOptions } from '../../../devices/avigilon/options';
import { ManualClock } from '../../support/manual-clock';
import { dateAnswers } from './server-time';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});
export const atTheEnd = (end: () => unknown): void => void endings.push(end);

/** The real machine turns while the clock stands still. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
/** Long enough for what must not happen to happen. */
export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

export interface Rig {
  clock: ManualClock;
  server: AvigilonServer;
}

/** @param datedAheadMs how far the Date of answers is off the server's own clock, as behind some proxies */
export async function simulated(options: AvigilonOptions = {}, datedAheadMs = 0): Promise<Rig> {
  const clock = new ManualClock();
  const server = await startAvigilonServer({ clock, ...options });
  const undated = dateAnswers(server, datedAheadMs);
  atTheEnd(async () => {
    await server.close();
    undated();
  });
  return { clock, server };
}

export const LOGIN: WepLogin = { user: 'nodered', password: 'simulated-1', nonce: 'SimNonce01', key: 'simulated-key', integrationId: '' };

export interface ClientSettings {
  login?: Partial<WepLogin>;
  transport?: Transport;
  gate?: LoginGate;
  url?: string;
  tls?: TlsSettings;
}

export function clientOf({ clock, server }: Rig, settings: ClientSettings = {}): WepClient {
  const agent = createAgent({ tls: settings.tls ?? { mode: 'verify' }, connections: 4, connectTimeoutMs: 500, headersTimeoutMs: 500, bodyTimeoutMs: 500 });
  const http = new WepHttp(serverAddress(settings.url ?? server.url), agent, clock);
  const session = new WepSession({
    http,
    login: { ...LOGIN, ...settings.login },
    gate: settings.gate ?? new LoginGate(clock),
    clock,
    backoff: new Backoff({ base: 2, max: 300 }, () => 0),
  });
  const client = new WepClient(http, session, settings.transport ?? 'auto', clock);
  atTheEnd(async () => {
    await client.close();
    await agent.destroy();
  });
  return client;
}

/** A store whose disk may fail; `durable` is what a restart would find. */
export class MemoryStore implements CursorStore {
  readonly durable = new Map<string, unknown>();
  failing = false;

  get(key: string): unknown {
    return this.durable.get(key);
  }

  async set(key: string, value: unknown): Promise<void> {
    await Promise.resolve();
    if (this.failing) throw new Error('disk full');
    this.durable.set(key, value);
  }
}

/** Knows whether its user waits. */
class WatchedClock implements Clock {
  waiting = 0;
  constructor(readonly inner: ManualClock) {}
  now = (): number => this.inner.now();
  monotonic = (): number => this.inner.monotonic();
  after(ms: number, run: () => void): () => void {
    this.waiting++;
    let open = true;
    const over = (): void => {
      if (open) this.waiting--;
      open = false;
    };
    const cancel = this.inner.after(ms, () => {
      over();
      run();
    });
    return () => {
      over();
      cancel();
    };
  }
}

export interface ReadingSettings extends ClientSettings {
  client?: WepClient;
  store?: CursorStore;
  cameras?: CameraList;
  topics?: readonly string[];
  serverIds?: readonly string[];
  intervalMs?: number;
  overlapMs?: number;
  /** Called with each event before it counts as handed on. */
  onEvent?: (event: CameraEvent) => void;
}

/** A poller and all that it says. */
export class Reading {
  readonly events: CameraEvent[] = [];
  readonly states: ConnectionState[] = [];
  readonly log: string[] = [];
  readonly notices: CodedError[] = [];
  readonly client: WepClient;
  readonly poller: Poller;
  readonly #rig: Rig;
  readonly #clock: WatchedClock;
  readonly #interval: number;
  #isDown = false;

  constructor(rig: Rig, settings: ReadingSettings = {}) {
    this.#rig = rig;
    this.#clock = new WatchedClock(rig.clock);
    this.#interval = settings.intervalMs ?? 5 * SECOND;
    const client = (this.client = settings.client ?? clientOf(rig, settings));
    const stopped = new AbortController();
    const site = new Site((path, query, signal) => client.get(path, query, signal), rig.clock, stopped.signal);
    this.poller = new Poller({
      client,
      site,
      serverIds: settings.serverIds ?? [],
      cameras: settings.cameras ?? allCameras,
      topics: settings.topics ?? ['DEVICE_ANALYTICS_STOP'],
      interval: () => this.#interval,
      overlapMs: settings.overlapMs ?? 30 * SECOND,
      store: settings.store ?? new MemoryStore(),
      keyPrefix: 'node',
      backoff: { base: 1.5, max: 60 },
      clock: this.#clock,
      random: () => 0,
      report: {
        event: (event) => {
          settings.onEvent?.(event);
          this.events.push(event);
        },
        state: (state) => this.states.push(state),
        down: (error) => {
          if (!this.#isDown) this.log.push(`down ${error.code}`);
          this.#isDown = true;
        },
        up: () => {
          if (this.#isDown) this.log.push('up');
          this.#isDown = false;
        },
        notice: (error) => this.notices.push(error),
      },
    });
    atTheEnd(async () => {
      stopped.abort();
      await this.poller.stop();
    });
  }

  get names(): string[] {
    return this.states.map(({ state }) => state);
  }
  get last(): ConnectionState | undefined {
    return this.states.at(-1);
  }
  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  /** Resolves when the present lap is over. */
  idle(): Promise<void> {
    return until(() => this.#clock.waiting > 0 || this.last?.state === 'stopped');
  }

  /** Starts, and reads for the first time. */
  async start(span: Parameters<Poller['start']>[0] = {}): Promise<this> {
    this.states.length = 0;
    this.poller.start(span);
    await until(() => this.states.length > 0);
    await this.idle();
    return this;
  }

  /** Lets time pass in steps, each with the laps that fall due. */
  async pass(ms: number, step = this.#interval): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      this.#rig.clock.advance(Math.min(step, left));
      await this.idle();
    }
  }

  /** Until all that lies behind is read. */
  async catchUp(laps = 500): Promise<void> {
    await this.pass(laps * 50, 50);
  }
}

let numbered = 0;
/** A counting STOP at a time of the server. */
export function stopEvent({ server }: Rig, at: number, more: Partial<EventDraft> = {}): EventDraft {
  const camera = server.site.cameras[0]!;
  const name = `PUERTA ${numbered++}`;
  return { serverId: camera.serverId, type: 'DEVICE_ANALYTICS_STOP', at, ...more, fields: { cameraId: camera.id, analyticEventName: name, area: '', activity: 'OBJECT_COUNTING_ENTER', ...more.fields } };
}

/** Names of the rules of the events read, which tell our test events apart. */
export const namesOf = (events: readonly CameraEvent[]): unknown[] => events.map(({ data }) => data.analyticEventName);
