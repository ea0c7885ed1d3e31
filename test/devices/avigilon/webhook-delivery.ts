import { createHmac } from 'node:crypto';
import { request as httpRequest, type ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Random } from '../seeded-random';
import type { ServerClock } from './clock';
import type { WepEvent } from './event-log';
import type { AvigilonOptions } from './options';
import { guid } from './site';
import { AvigilonStats, type SeenPush } from './stats';
import type { Webhook, WebhookRegistry } from './webhook-registry';

const MOST_IN_FLIGHT = 5;

interface Push {
  webhook: Webhook;
  message: { type: SeenPush['type'] } & Record<string, unknown>;
  events: number;
}

interface DeliverySurroundings {
  options: AvigilonOptions;
  siteId: string;
  registry: WebhookRegistry;
  stats: AvigilonStats;
  clock: ServerClock;
  random: Random;
  serverNow: () => number;
}

/** Sends to the webhooks of a registry (facts A6): at most 5 messages in flight, each on a connection of its own, none twice. */
export class WebhookDelivery {
  private running = false;
  private waiting: Push[] = [];
  private readonly inFlight = new Set<ClientRequest>();
  private readonly heartbeats = new Map<string, () => void>();

  constructor(private readonly around: DeliverySurroundings) {}

  start(): void {
    this.running = true;
    for (const webhook of this.targets()) this.expectSilence(webhook);
  }

  /** What waits or is in flight is lost. */
  stop(): void {
    this.running = false;
    this.waiting = [];
    for (const cancel of this.heartbeats.values()) cancel();
    this.heartbeats.clear();
    for (const request of this.inFlight) request.destroy();
  }

  /** To every webhook whose filter lets events through. */
  notify(events: readonly WepEvent[]): void {
    if (!this.running) return;
    const { options, registry } = this.around;
    const size = options.notificationsPerMessage ?? 10;
    for (const webhook of this.targets()) {
      const wanted = events.filter(({ type }) => registry.wants(webhook, type));
      for (let start = 0; start < wanted.length; start += size) this.send(webhook, 'NOTIFICATION', wanted.slice(start, start + size));
    }
  }

  hello(webhooks: readonly Webhook[] = this.targets()): void {
    for (const webhook of webhooks) this.send(webhook, 'HELLO');
  }

  beat(webhooks: readonly Webhook[] = this.targets()): void {
    for (const webhook of webhooks) this.send(webhook, 'HEARTBEAT');
  }

  /** (Re)starts the wait for the webhook's heartbeat; to be called when it was added or changed. */
  expectSilence(webhook: Webhook): void {
    this.heartbeats.get(webhook.id)?.();
    this.heartbeats.delete(webhook.id);
    if (!this.running || webhook.heartbeatMs === undefined || !this.around.registry.has(webhook)) return;
    const due = (): void => {
      this.beat([webhook]);
      this.expectSilence(webhook);
    };
    this.heartbeats.set(webhook.id, this.around.clock.after(webhook.heartbeatMs, due));
  }

  private targets(): Webhook[] {
    return this.around.registry.all.filter(({ foreign }) => !foreign);
  }

  private send(webhook: Webhook, type: SeenPush['type'], events: readonly WepEvent[] = []): void {
    if (!this.running || !this.around.registry.has(webhook)) return;
    const { siteId, serverNow, options, random } = this.around;
    const time = new Date(serverNow()).toISOString();
    const notifications = events.map((event) => ({ siteId, type: 'EVENT', time, id: guid(random).toString('base64url'), event: { ...event } }));
    const list = events.length > 0 ? { [options.notificationsKey ?? 'notifications']: notifications } : {};
    this.waiting.push({ webhook, message: { siteId, type, time, ...list }, events: events.length });
    this.pump();
  }

  private pump(): void {
    while (this.inFlight.size < MOST_IN_FLIGHT) {
      const push = this.waiting.shift();
      if (!push) return;
      if (this.around.registry.has(push.webhook)) this.deliver(push);
    }
  }

  private deliver({ webhook, message, events }: Push): void {
    const { stats, clock, options } = this.around;
    const { request, body } = this.open(webhook, message);
    const seen: SeenPush = { at: clock.now(), webhookId: webhook.id, type: message.type, events };
    AvigilonStats.remember(stats.pushes, seen);
    this.inFlight.add(request);
    this.countInFlight();
    const cancelTimeout = clock.after(options.pushTimeoutMs ?? 30_000, () => request.destroy());
    request.on('response', (response) => {
      seen.status = response.statusCode ?? 0;
      response.resume();
    });
    request.on('error', () => undefined);
    request.on('close', () => {
      cancelTimeout();
      this.inFlight.delete(request);
      const taken = seen.status !== undefined && seen.status >= 200 && seen.status < 300;
      if (taken) {
        stats.pushesDelivered += 1;
        stats.eventsPushed += events;
        this.expectSilence(webhook);
      } else {
        stats.pushesFailed += 1;
      }
      this.countInFlight();
      if (this.running) this.pump();
    });
    request.end(body);
  }

  /** To an HTTPS target the token goes inside, to an HTTP target the body is signed with it. */
  private open({ url, authenticationToken }: Webhook, message: object): { request: ClientRequest; body: string } {
    if (url.startsWith('https:')) {
      const body = JSON.stringify({ ...message, authenticationToken });
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      return { body, request: httpsRequest(url, { method: 'POST', headers, agent: false, rejectUnauthorized: false }) };
    }
    const body = JSON.stringify(message);
    const signature = createHmac('sha256', Buffer.from(authenticationToken, 'base64')).update(body).digest('base64');
    const headers = { 'Content-Type': 'plain/text', 'Content-Length': Buffer.byteLength(body), Authorization: signature };
    return { body, request: httpRequest(url, { method: 'POST', headers, agent: false }) };
  }

  private countInFlight(): void {
    const { stats } = this.around;
    stats.pushesInFlight = this.inFlight.size;
    stats.pushesInFlightPeak = Math.max(stats.pushesInFlightPeak, stats.pushesInFlight);
    stats.changed();
  }
}
