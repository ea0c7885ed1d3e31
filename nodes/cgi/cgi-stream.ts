/**
 * The one event stream of a device, however many nodes listen to it. It opens with the first subscriber and closes with the
 * last, asks for the codes that any of them wants, and keeps itself alive: watchdog, back-off, login gate.
 */
import type { CameraDevice, CameraEvent } from '../kit/camera-event';
import { Backoff, type BackoffOptions } from '../kit/backoff';
import { pause, type Clock, type Random } from '../kit/clock';
import type { ConnectionState } from '../kit/connection';
import type { DeviceResponse } from '../kit/digest';
import { CodedError, coded, reasonOf, type Reason } from '../kit/errors';
import type { LoginGate } from '../kit/login-gate';
import { Watchdog } from '../kit/watchdog';
import { ALL, attachPath, isAll, judge, noRoom, wrongLogin } from './attach';
import { CgiEvents } from './cgi-event';
import { decoder, type Charset } from './charset';
import { eventFormat } from './event-line';
import { MultipartReader } from './multipart-reader';

export interface CgiStreamOptions {
  device: CameraDevice;
  /** host:port, for texts. */
  address: string;
  /** Seconds between heartbeats that the device is asked for. */
  heartbeat: number;
  backoff: BackoffOptions;
  charset: Charset;
  gate: LoginGate;
  clock: Clock;
  random: Random;
  /** Sends one request with a fresh login; rejects with CodedErrors, or with the signal's reason. */
  request: (path: string, signal: AbortSignal) => Promise<DeviceResponse>;
  report: CgiStreamReport;
}

/** For the log of the device. `down` comes with every failure, `up` with every success: the log says the first of each. */
export interface CgiStreamReport {
  down(error: CodedError): void;
  blocked(error: CodedError): void;
  up(): void;
  /** Something in the stream could not be read; the stream goes on. */
  damaged(error: CodedError): void;
}

export interface CgiSubscriber {
  /** Event names, or `All`. */
  codes: readonly string[];
  event(event: CameraEvent): void;
  state(state: ConnectionState): void;
}

/** What a `cgi-device` provides to the nodes that refer to it. */
export interface CgiDevice {
  readonly stream: CgiStream;
  /** As in topics and texts. */
  readonly address: string;
}

/** Why a connection ended and what is to be waited for. */
interface Outcome {
  error: CodedError;
  wait: 'backoff' | 'longest' | 'none' | 'blocked' | number;
}

const HEALTHY_MS = 60_000;
/** Nodes of one deploy subscribe one after another; the first request should know the codes of all. */
const GATHER_MS = 20;
const SILENT_HEARTBEATS = 3;

export class CgiStream {
  readonly #options: CgiStreamOptions;
  readonly #events: CgiEvents;
  readonly #backoff: Backoff;
  readonly #subscribers = new Set<CgiSubscriber>();
  #state: ConnectionState;
  #attempt = 0;
  #running: Promise<void> | undefined;
  /** Ends the run; a new one is made for the next. */
  #stop = new AbortController();
  /** Ends the present connection or wait, and goes on with the next. */
  #step = new AbortController();
  #requested: readonly string[] = [];
  /** The device does not take a list of codes. */
  #onlyAll = false;

  constructor(options: CgiStreamOptions) {
    this.#options = options;
    this.#events = new CgiEvents(options.device);
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#state = { state: 'stopped', attempt: 0, since: this.#now() };
  }

  /** Events and state changes from now on. The returned function ends them; the last to leave closes the socket. */
  subscribe(subscriber: CgiSubscriber): () => void {
    this.#subscribers.add(subscriber);
    if (this.#running) {
      subscriber.state(this.#state);
      const open = this.#state.state === 'connected' || this.#state.state === 'connecting';
      if (open && !this.#covers(subscriber.codes)) this.#step.abort(new CodedError('CONNECTION_LOST', 'another node wants other events'));
    } else {
      this.#running = this.#start();
    }
    return () => {
      if (this.#subscribers.delete(subscriber) && this.#subscribers.size === 0) this.#stop.abort();
    };
  }

  /** A person asks to try again now, also where logins are held back. */
  retry(): void {
    this.#options.gate.lift();
    if (this.#state.state === 'blocked' || this.#state.state === 'disconnected') {
      this.#backoff.reset();
      this.#step.abort();
    }
  }

  /** Ends all subscriptions; resolves when the socket is closed. */
  async close(): Promise<void> {
    this.#subscribers.clear();
    this.#stop.abort();
    await this.#running;
  }

  async #start(): Promise<void> {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    signal.addEventListener('abort', () => this.#step.abort(), { once: true });
    await this.#wait(GATHER_MS);
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        this.#options.report.damaged(coded(error));
        await this.#wait(this.#backoff.next());
      }
    }
    this.#set({ state: 'stopped', attempt: this.#attempt, since: this.#now() });
    this.#running = undefined;
    this.#attempt = 0;
    // Someone may have subscribed while the last connection was closing.
    if (this.#subscribers.size > 0) this.#running = this.#start();
  }

  /** One connection and the wait after it, or one wait in which logins are held back. */
  async #round(signal: AbortSignal): Promise<void> {
    const { address, gate, report } = this.#options;
    const blockedForMs = gate.blockedForMs;
    if (blockedForMs > 0) {
      if (this.#state.state !== 'blocked') this.#block(wrongLogin(address, 0));
      await this.#wait(blockedForMs);
      return;
    }
    this.#attempt++;
    this.#set({ ...this.#because(), state: 'connecting', attempt: this.#attempt, since: this.#now() });
    const { error, wait } = await this.#connect(this.#nextStep());
    if (signal.aborted || wait === 'none') return;
    if (wait === 'blocked') {
      this.#block(error);
      return;
    }
    const retryInMs = wait === 'backoff' ? this.#backoff.next() : wait === 'longest' ? this.#backoff.longest() : wait;
    report.down(error);
    this.#set({ state: 'disconnected', attempt: this.#attempt, since: this.#now(), reason: reasonOf(error), retryInMs });
    await this.#wait(retryInMs);
  }

  #nextStep(): AbortController {
    this.#step = new AbortController();
    if (this.#stop.signal.aborted) this.#step.abort();
    return this.#step;
  }

  #wait(ms: number): Promise<void> {
    return pause(this.#options.clock, ms, this.#nextStep().signal);
  }

  async #connect(step: AbortController): Promise<Outcome> {
    const { address, heartbeat, gate, request } = this.#options;
    const codes = (this.#requested = this.#wanted());
    let answer: DeviceResponse;
    try {
      answer = await request(attachPath(codes, heartbeat), step.signal);
    } catch (error) {
      const lasting = error instanceof CodedError && /^(AUTH_|CREDENTIALS|CONFIG)/.test(error.code);
      return { error: this.#whyEnded(step, error), wait: step.signal.aborted ? 'none' : lasting ? 'longest' : 'backoff' };
    }
    const verdict = judge(answer, address, !isAll(codes));
    if (verdict.kind === 'stream') {
      gate.accepted();
      return this.#read(answer, verdict.boundary, codes, step);
    }
    answer.body.on('error', () => undefined).destroy();
    switch (verdict.kind) {
      case 'codes-refused':
        this.#onlyAll = true;
        return { error: new CodedError('HTTP_STATUS', `${address} refuses the list of codes`), wait: 'none' };
      case 'busy':
        return { error: verdict.error, wait: gate.busy() };
      case 'locked':
        gate.locked(verdict.forMs);
        return { error: verdict.error, wait: 'blocked' };
      case 'refused': {
        const refusal = gate.refused();
        if (refusal.kind === 'blocked') return { error: wrongLogin(address, 0), wait: 'blocked' };
        if (refusal.kind === 'busy') return { error: noRoom(address), wait: refusal.waitMs };
        return { error: wrongLogin(address, refusal.left), wait: 'backoff' };
      }
      case 'failed':
        return { error: verdict.error, wait: verdict.lasting ? 'longest' : 'backoff' };
    }
  }

  /** Reads until the stream ends, falls silent or is told to stop. Connected is what has sent a byte. */
  async #read(answer: DeviceResponse, boundary: string | undefined, codes: readonly string[], step: AbortController): Promise<Outcome> {
    const { clock, address, heartbeat, report } = this.#options;
    const silence = SILENT_HEARTBEATS * heartbeat;
    const watchdog = new Watchdog(clock, silence * 1000, () => {
      step.abort(new CodedError('CGI_SILENT', `${address} has sent nothing for ${silence} s, not even a heartbeat`));
    });
    let receivedAt = 0;
    let heard = false;
    const reader = new MultipartReader(
      boundary,
      eventFormat(decoder(this.#options.charset), () => report.damaged(new CodedError('BAD_EVENT_LINE', `${address} sent an event without code or action`))),
      {
        item: (line) => {
          this.#hand(this.#events.from(line, receivedAt));
        },
        tooLarge: () => report.damaged(new CodedError('PART_TOO_LARGE', `${address} sent a part above the size limit`)),
      },
    );
    let cancelHealthy = (): void => undefined;
    let end: unknown = new CodedError('CGI_ENDED', `${address} ended the event stream`);
    try {
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        // A socket in mid-close may still hand over what it had read.
        if (step.signal.aborted) break;
        watchdog.feed();
        receivedAt = clock.now();
        if (!heard) {
          heard = true;
          cancelHealthy = clock.after(HEALTHY_MS, () => this.#backoff.reset());
          report.up();
          this.#set({ state: 'connected', attempt: this.#attempt, since: this.#now() });
          this.#attempt = 0;
        }
        reader.push(chunk);
      }
    } catch (error) {
      end = error;
    } finally {
      cancelHealthy();
      watchdog.stop();
      answer.body.on('error', () => undefined).destroy();
    }
    if (!this.#stop.signal.aborted) reader.end();
    const error = this.#whyEnded(step, end);
    const silent = error.code === 'CGI_SILENT';
    // Some firmware takes a list of codes and never sends anything (facts A1).
    if (silent && !heard && !isAll(codes)) this.#onlyAll = true;
    return { error, wait: step.signal.aborted && !silent ? 'none' : 'backoff' };
  }

  /** Each node its own copy: what follows it in a flow may change the message. */
  #hand(event: CameraEvent): void {
    let left = this.#subscribers.size;
    for (const subscriber of this.#subscribers) subscriber.event(--left === 0 ? event : structuredClone(event));
  }

  #whyEnded(step: AbortController, error: unknown): CodedError {
    return coded(step.signal.aborted ? (step.signal.reason as unknown) : error, 'CONNECTION_LOST');
  }

  #wanted(): readonly string[] {
    const codes = [...this.#subscribers].flatMap((subscriber) => subscriber.codes);
    return this.#onlyAll || codes.length === 0 || isAll(codes) ? ALL : [...new Set(codes)].sort();
  }

  #covers(codes: readonly string[]): boolean {
    return this.#requested.length === 0 || isAll(this.#requested) || codes.every((code) => this.#requested.includes(code));
  }

  #block(error: CodedError): void {
    const retryInMs = this.#options.gate.blockedForMs;
    this.#options.report.blocked(error);
    this.#set({ state: 'blocked', attempt: this.#attempt, since: this.#now(), reason: reasonOf(error), retryInMs });
  }

  /** Why the last connection ended, for the attempt that follows it. */
  #because(): { reason?: Reason } {
    return 'reason' in this.#state ? { reason: this.#state.reason } : {};
  }

  #set(state: ConnectionState): void {
    this.#state = state;
    for (const subscriber of this.#subscribers) subscriber.state(state);
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
