/**
 * Events pushed by the server. A push only brings an event early: what tells that nothing was missed are the searches, which go on
 * at a slow pace while pushes arrive, at once after HELLO, and at their own pace while the webhook is silent.
 */
import { randomBytes } from 'node:crypto';
import { Backoff, type BackoffOptions } from '../kit/backoff';
import { pause, type Clock, type Random } from '../kit/clock';
import { CodedError, coded } from '../kit/errors';
import type { CameraList } from './camera-list';
import type { WebhookRegistration } from './webhook-registration';
import { WebhookMessages, type WebhookProof } from './webhook-message';
import { LoginError } from './wep-errors';
import { cameraOf, type WepEvent } from './wep-event';

export interface WebhookSourceOptions {
  registration: Pick<WebhookRegistration, 'ensure' | 'remove'>;
  scheme: WebhookProof['scheme'];
  /** How often the server speaks at least, ms. */
  heartbeatMs: number;
  cameras: CameraList;
  /** Whose events are wanted; empty for all. */
  serverIds: readonly string[];
  /** The server's time, ms since 1970. */
  now: () => number;
  /** Takes an event that may have been read already. */
  push: (event: WepEvent) => void;
  /** Events may have been missed. */
  missed: () => void;
  backoff: BackoffOptions;
  clock: Clock;
  random: Random;
  report: WebhookReport;
}

export interface WebhookReport {
  /** Not registered, or silent; comes again as long as that lasts. */
  down: (error: CodedError) => void;
  /** Comes with every message. */
  up: () => void;
  /** A message was refused or left out. */
  notice: (error: CodedError) => void;
  /** An event of a camera or server that is not wanted. */
  filtered: () => void;
}

const SILENT_HEARTBEATS = 3;
const MAX_WAITING = 10_000;

export class WebhookSource {
  readonly #options: WebhookSourceOptions;
  #messages: WebhookMessages | undefined;
  #run: { abort: AbortController; over: Promise<void> } | undefined;
  #stopped = Promise.resolve();
  #heardAt = Number.NEGATIVE_INFINITY;
  #waiting: WepEvent[] = [];
  #handing = false;

  constructor(options: WebhookSourceOptions) {
    this.#options = options;
  }

  /** Whether the server was heard lately. */
  get isAlive(): boolean {
    return this.#options.clock.monotonic() - this.#heardAt < SILENT_HEARTBEATS * this.#options.heartbeatMs;
  }

  start(): void {
    if (this.#run) return;
    const abort = new AbortController();
    // A removal that is under way would take the new webhook with it.
    this.#run = { abort, over: this.#stopped.then(() => this.#keepRegistered(abort.signal)) };
  }

  /** Takes the webhook off the server, if that can be done within the signal's time. Never rejects. */
  stop(signal: AbortSignal): Promise<void> {
    const run = this.#run;
    if (!run) return this.#stopped;
    this.#run = undefined;
    this.#messages = undefined;
    this.#heardAt = Number.NEGATIVE_INFINITY;
    run.abort.abort(new CodedError('CONNECTION_LOST', 'the webhook was stopped'));
    const { registration, report } = this.#options;
    this.#stopped = run.over.then(() => registration.remove(signal)).catch((error: unknown) => report.notice(coded(error)));
    return this.#stopped;
  }

  /** A request to the webhook. What it brings is handed on after the answer. @returns the status to answer with */
  receive(body: Buffer, authorization: string | undefined): number {
    const { report, missed, clock } = this.#options;
    if (!this.#messages) return 503;
    const message = this.#messages.read(body, authorization);
    switch (message.kind) {
      case 'refused':
        report.notice(message.error);
        return message.status;
      case 'stale':
        report.notice(message.error);
        return 200;
      case 'repeated':
        return 200;
      case 'hello':
        missed();
        break;
      case 'events':
        this.#queue(message.events);
        break;
      case 'heartbeat':
        break;
    }
    this.#heardAt = clock.monotonic();
    report.up();
    return 200;
  }

  #queue(events: readonly WepEvent[]): void {
    const { report, missed } = this.#options;
    const room = MAX_WAITING - this.#waiting.length;
    this.#waiting.push(...events.slice(0, room));
    if (room < events.length) {
      report.notice(new CodedError('AVIGILON_WEBHOOK_OVERFLOW', 'more events are pushed than can be handed on; those left out are read by a search'));
      missed();
    }
    if (this.#handing || this.#waiting.length === 0) return;
    this.#handing = true;
    setImmediate(() => void this.#hand());
  }

  /** Never rejects: what cannot be handed on now is read by a search. */
  async #hand(): Promise<void> {
    const { cameras, serverIds, push, missed, report } = this.#options;
    try {
      const ids = await cameras.ids();
      const allowed = ids && new Set<unknown>(ids);
      for (const event of this.#waiting.splice(0)) {
        const wanted = (!allowed || allowed.has(cameraOf(event))) && (serverIds.length === 0 || serverIds.includes(String(event.originatingServerId)));
        if (wanted) push(event);
        else report.filtered();
      }
    } catch (error) {
      this.#waiting.length = 0;
      report.notice(coded(error));
      missed();
    } finally {
      this.#handing = false;
    }
  }

  /** Registers, and again whenever the server has been silent. */
  async #keepRegistered(signal: AbortSignal): Promise<void> {
    const { registration, scheme, heartbeatMs, clock, now, random, report } = this.#options;
    const backoff = new Backoff(this.#options.backoff, random);
    const token = randomBytes(32).toString('base64');
    this.#messages = new WebhookMessages({ scheme, token }, now);
    while (!signal.aborted) {
      try {
        await registration.ensure(token, signal);
        backoff.reset();
        do await pause(clock, SILENT_HEARTBEATS * heartbeatMs, signal);
        while (this.isAlive);
        if (!this.#isOver(signal)) report.down(silent());
      } catch (error) {
        if (this.#isOver(signal)) return;
        report.down(coded(error));
        await pause(clock, error instanceof LoginError ? error.retryInMs : backoff.next(), signal);
      }
    }
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted;
  }
}

const silent = (): CodedError =>
  new CodedError(
    'AVIGILON_WEBHOOK_SILENT',
    'the webhook is registered, but the server does not call it; events are polled. Check that the server reaches the address of the webhook, its certificate, and the firewall between.',
  );
