import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { seededRandom } from '../seeded-random';
import { selfSignedPair } from '../self-signed';
import { realClock, type ServerClock } from './clock';
import { AvigilonControls } from './controls';
import { EventStore } from './event-store';
import { EventSearch } from './events-search';
import { Faults, type RequestFault } from './faults';
import type { AvigilonOptions } from './options';
import { errorBody, Refusal } from './refusal';
import { Sessions } from './sessions';
import { makeSite, type Site } from './site';
import { AvigilonStats, type SeenRequest } from './stats';
import { BASE_PATH, WebEndpoint, type Answer, type Call } from './web-endpoint';
import { WebhookDelivery } from './webhook-delivery';
import { WebhookRegistry } from './webhook-registry';

const MOST_BODY = 1024 * 1024;

/** A simulated Avigilon Web Endpoint and the site behind it. Starts listening at once. */
export async function startAvigilonServer(options: AvigilonOptions = {}): Promise<AvigilonServer> {
  const server = new AvigilonServer(options);
  await server.controls.powerOn();
  return server;
}

export class AvigilonServer {
  readonly host: string;
  readonly site: Site;
  readonly stats: AvigilonStats;
  readonly controls: AvigilonControls;

  private boundPort: number;
  private listening: Server | undefined;
  private closed = false;
  private clockOffsetMs = 0;
  private readonly sockets = new Set<Socket>();
  private readonly clock: ServerClock;
  private readonly faults: Faults;
  private readonly sessions: Sessions;
  private readonly store: EventStore;
  private readonly search: EventSearch;
  private readonly delivery: WebhookDelivery;
  private readonly endpoint: WebEndpoint;
  private readonly secure: SecureContextOptions | undefined;

  constructor(options: AvigilonOptions) {
    const { clock = realClock, random = seededRandom(11), site = {} } = options;
    this.host = options.host ?? '127.0.0.1';
    this.boundPort = options.port ?? 0;
    this.clock = clock;
    this.site = 'id' in site ? site : makeSite(site);
    this.secure = options.tls === 'self-signed' ? selfSignedPair('Simulated Web Endpoint') : options.tls;
    this.faults = new Faults(random);
    this.sessions = new Sessions(clock, options.sessionIdleMs ?? 3_600_000, random);
    this.stats = new AvigilonStats(() => this.sessions.count);
    const now = (): number => clock.now();
    const serverNow = (): number => this.now();
    const registry = new WebhookRegistry(options, random);
    const around = { options, site: this.site, siteId: this.site.id, registry, stats: this.stats, clock, random, now, serverNow };
    this.delivery = new WebhookDelivery(around);
    this.store = new EventStore(this.site.servers, clock, serverNow, (events) => {
      this.stats.eventsWritten += events.length;
      this.delivery.notify(events);
      this.stats.changed();
    });
    this.search = new EventSearch({ ...around, store: this.store });
    this.endpoint = new WebEndpoint({ ...around, sessions: this.sessions, events: this.search, delivery: this.delivery });
    this.controls = new AvigilonControls({
      faults: this.faults,
      sessions: this.sessions,
      store: this.store,
      endpoint: this.endpoint,
      delivery: this.delivery,
      setClockOffset: (ms) => this.setClockOffset(ms),
      powerOn: () => this.powerOn(),
      powerOff: () => this.powerOff(),
      restart: (downMs) => this.restart(downMs),
    });
  }

  get port(): number {
    return this.boundPort;
  }

  /** Without path and slash. */
  get url(): string {
    return `${this.secure ? 'https' : 'http'}://${this.host}:${this.port}`;
  }

  /** With the path, without a slash at the end. */
  get apiUrl(): string {
    return `${this.url}${BASE_PATH}`;
  }

  /** PEM, for clients that verify; undefined without TLS. */
  get certificate(): string | undefined {
    return this.secure && String(this.secure.cert);
  }

  /** What the server's own clock says, epoch ms. */
  now(): number {
    return this.clock.now() + this.clockOffsetMs;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.store.stop();
    await this.powerOff();
  }

  private setClockOffset(ms: number): void {
    this.clockOffsetMs = ms;
    this.store.settle();
  }

  private async powerOn(): Promise<void> {
    if (this.closed || this.listening) return;
    const answer = (request: IncomingMessage, response: ServerResponse): void => void this.serve(request, response);
    const server = this.secure ? createTlsServer(this.secure, answer) : createServer(answer);
    this.listening = server;
    server.on('connection', (socket: Socket) => this.count(socket));
    server.listen(this.boundPort, this.host);
    await once(server, 'listening');
    this.boundPort = (server.address() as AddressInfo).port;
    this.delivery.start();
  }

  private async powerOff(): Promise<void> {
    const server = this.listening;
    this.listening = undefined;
    this.delivery.stop();
    this.sessions.forget();
    this.search.forget();
    if (!server) return;
    const gone = once(server, 'close');
    server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
    await gone;
    this.stats.changed();
  }

  private async restart(downMs: number): Promise<void> {
    await this.powerOff();
    if (downMs > 0) await new Promise<void>((resolve) => void this.clock.after(downMs, resolve));
    await this.powerOn();
    this.delivery.hello();
  }

  private count(socket: Socket): void {
    this.stats.connectionsOpened += 1;
    this.sockets.add(socket);
    this.stats.connectionsOpen = this.sockets.size;
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.stats.connectionsOpen = this.sockets.size;
      this.stats.changed();
    });
  }

  /** On the TCP socket: a TLS socket cannot be reset. */
  private reset(response: ServerResponse): void {
    const { remotePort } = response.socket ?? {};
    for (const socket of this.sockets) if (socket.remotePort === remotePort) socket.resetAndDestroy();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? '';
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://endpoint');
    const route = pathname.startsWith(`${BASE_PATH}/`) ? `${method} ${pathname.slice(BASE_PATH.length)}` : '';
    const name = this.endpoint.knows(route) ? route : 'other';
    const seen: SeenRequest = { at: this.clock.now(), method, path: pathname, status: 0 };
    this.stats.countRequest(name);
    AvigilonStats.remember(this.stats.requestLog, seen);
    response.on('finish', () => {
      seen.status = response.statusCode;
      this.stats.changed();
    });
    try {
      const body = await readBody(request);
      const call: Call = {
        route,
        query: searchParams,
        headers: request.headers,
        body,
        takePageFault: (fits) => this.taken(name, this.faults.take('page', name, fits)),
      };
      const answer = await this.answerTo(call, name, response);
      if (answer) this.reply(response, name, answer);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        response.destroy();
        if (request.complete) throw error;
        return;
      }
      seen.message = error.message;
      this.reply(response, name, { status: error.status, body: errorBody(error.status, error.message) });
    } finally {
      this.stats.changed();
    }
  }

  /** Undefined: somebody else sees to the answer, or nobody. */
  private async answerTo(call: Call, name: string, response: ServerResponse): Promise<Answer | undefined> {
    const hasSession = (): boolean => this.sessions.use(this.endpoint.sessionOf(call) ?? '') === 'open';
    const fault = this.taken(name, this.faults.take('request', name, (kind) => kind !== 'sessionExpired' || hasSession()));
    const goOn = fault ? await this.suffer(fault, call, response) : true;
    if (goOn !== true) return goOn;
    return this.endpoint.answer(call);
  }

  /** True: the request is served nevertheless. */
  private async suffer(fault: RequestFault, call: Call, response: ServerResponse): Promise<Answer | undefined | true> {
    switch (fault.kind) {
      case 'status':
        if (fault.html) return { status: fault.status, body: `<html><body><h1>${fault.status}</h1></body></html>` };
        throw new Refusal(fault.status, fault.message ?? 'simulated failure');
      case 'sessionExpired':
        this.sessions.end(this.endpoint.sessionOf(call) ?? '');
        return true;
      case 'hang':
        return undefined;
      case 'reset':
        this.reset(response);
        return undefined;
      case 'slow':
        await new Promise<void>((resolve) => void this.clock.after(fault.ms, resolve));
        return true;
      case 'clockChange':
        this.setClockOffset(fault.offsetMs);
        return true;
      case 'restart':
        await this.restart(fault.downMs ?? 0);
        return undefined;
      case 'run':
        fault.run();
        return true;
    }
  }

  private reply(response: ServerResponse, name: string, { status, body }: Answer): void {
    const text = typeof body === 'string';
    const whole = Buffer.from(text ? body : JSON.stringify(body));
    const fault = this.taken(name, this.faults.take('answer', name));
    const bytes = fault?.kind === 'malformed' ? whole.subarray(0, whole.length >> 1) : whole;
    const type = !text ? 'application/json; charset=utf-8' : body.startsWith('<') ? 'text/html' : 'text/plain';
    response.writeHead(status, { Date: new Date(this.now()).toUTCString(), 'Content-Type': type, 'Content-Length': bytes.length });
    if (fault?.kind === 'cut') response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
    else response.end(bytes);
  }

  private taken<T extends { kind: string }>(route: string, fault: T | undefined): T | undefined {
    if (fault) {
      AvigilonStats.remember(this.stats.faults, { at: this.clock.now(), kind: fault.kind, route });
      this.stats.changed();
    }
    return fault;
  }
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MOST_BODY) chunks.push(chunk);
  }
  if (size > MOST_BODY) throw new Refusal(413, 'payload too large');
  if (size === 0) return undefined;
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) throw new Refusal(415, 'media type not supported');
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Refused below, as any other body that is not an object.
  }
  throw new Refusal(400, 'body must be a JSON object');
}
