import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import type { Duplex } from 'node:stream';
import { inSizes } from '../chunker';
import type { DigestOptions } from '../digest-server';
import { answerBytes, readRequests, type WireAnswer, type WireRequest } from '../http-wire';
import { badRequest, streamHead, subscription, type Subscription } from './attach-request';
import { readCapture } from './capture';
import { EventStream } from './event-stream';
import { eventBody, frame, frameAll, HEARTBEAT, type DahuaEvent, type FramingStyle } from './framing';
import { cameraIdentity, type DeviceIdentity } from './identity';
import { LoginGate } from './login-gate';
import type { DahuaDeviceOptions } from './options';
import { page, parseTarget, type CgiCall, type DeviceFace } from './routes';
import { DahuaStats } from './stats';

/**
 * - `acceptThenClose`: every new connection is closed at once;
 * - `hang`: new connections are accepted, nothing is answered, not even a TLS hello;
 * - `answerHtml`: every request gets 200 and a login page;
 * - `endAtOnce`: attach gets its 200 and the end (facts A8).
 * Streams that are open go on in each of them.
 */
export type DeviceMode = 'normal' | 'acceptThenClose' | 'hang' | 'answerHtml' | 'endAtOnce';

/** A connection: `raw` is TCP, `wire` what HTTP is spoken on (the same without TLS). */
interface Connection {
  raw: Socket;
  wire: Duplex;
  gone: Promise<unknown>;
}

const LOGIN_PAGE = '<!DOCTYPE html><html><head><title>WEB SERVICE</title></head><body><form>Username</form></body></html>';
const MAX_QUEUED = 8 * 1024 * 1024;

/** A simulated Dahua camera or NVR. Starts listening at once. */
export async function startDahuaDevice(options: DahuaDeviceOptions = {}): Promise<DahuaDevice> {
  const device = new DahuaDevice(options);
  await device.powerOn();
  return device;
}

export class DahuaDevice {
  readonly host: string;
  readonly stats = new DahuaStats();
  readonly identity: DeviceIdentity;
  /** How parts are framed from now on. */
  framing: FramingStyle;
  mode: DeviceMode = 'normal';

  private listening: Server | undefined;
  private boundPort: number;
  private silent = false;
  private busyLeft = 0;
  private closed = false;
  private readonly gate: LoginGate;
  private readonly face: DeviceFace;
  private readonly secure: SecureContext | undefined;
  private readonly connections = new Set<Connection>();
  private readonly streams = new Set<EventStream>();
  private readonly active = new Map<string, Set<number>>();
  private readonly clock: { now(): number };
  private readonly mainUser: string;

  constructor(private readonly options: DahuaDeviceOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.boundPort = options.port ?? 0;
    this.framing = options.framing ?? 'modern';
    this.identity = { ...cameraIdentity, ...options.identity };
    this.clock = options.clock ?? Date;
    this.secure = options.tls && createSecureContext(options.tls);
    const users = options.users ?? { admin: 'admin123' };
    this.mainUser = Object.keys(users)[0] ?? 'admin';
    const digest: DigestOptions = { realm: `Login to ${this.identity.serial}`, users, ...(options.auth === 'none' ? {} : options.auth) };
    this.gate = new LoginGate(options, digest, this.clock, this.stats);
    this.face = {
      identity: this.identity,
      channels: options.channels ?? ['Channel1'],
      activeIndexes: (code) => [...(this.active.get(code) ?? [])].sort((a, b) => a - b),
      noEventIndexes: options.noEventIndexes ?? 'empty',
    };
  }

  get port(): number {
    return this.boundPort;
  }

  /** Without a slash at the end. */
  get url(): string {
    return `${this.secure ? 'https' : 'http'}://${this.host}:${this.port}`;
  }

  /** Epoch ms until which logins are refused; -Infinity when not locked. */
  get lockedUntil(): number {
    return this.gate.locked;
  }

  unlock(): void {
    this.gate.unlock();
  }

  /**
   * Sends an event, or several in one write, to every stream that asked for the code. Returns the number of streams that
   * got any. In the framing `several-per-part` a list becomes one part.
   */
  emit(event: DahuaEvent | readonly DahuaEvent[]): number {
    const events = 'code' in event ? [event] : event;
    for (const { code, action, index } of events) this.noteState(code, action, index);
    this.stats.eventsEmitted += events.length;
    let reached = 0;
    const framed = new Map<string, Buffer>();
    for (const stream of this.streams) {
      const wanted = events.filter(({ code }) => stream.wants(code));
      if (wanted.length === 0) continue;
      const key = wanted.length === events.length ? 'all' : wanted.map((one) => events.indexOf(one)).join();
      const bytes = framed.get(key) ?? frameAll(wanted.map(eventBody), this.framing, this.options.boundary);
      framed.set(key, bytes);
      if (!stream.write(bytes)) continue;
      this.stats.eventsSent += wanted.length;
      reached += 1;
    }
    this.stats.changed();
    return reached;
  }

  /** Bytes as they are to every stream, whatever codes it asked for. Returns the number of streams reached. */
  emitRaw(bytes: Buffer): number {
    let reached = 0;
    for (const stream of this.streams) if (stream.write(bytes)) reached += 1;
    this.stats.changed();
    return reached;
  }

  /** A heartbeat now, on every stream. */
  beat(): void {
    for (const stream of this.streams) this.beatOn(stream);
  }

  /**
   * Plays recorded bytes, or a capture file, to every stream: in pieces of `chunkSizes` (bytes, repeated), `delayMs` between
   * them. Resolves when the last piece is written.
   */
  async play(source: Buffer | string, options: { chunkSizes?: readonly number[]; delayMs?: number } = {}): Promise<void> {
    const bytes = typeof source === 'string' ? readCapture(source) : source;
    const pieces = options.chunkSizes?.length ? inSizes(bytes, options.chunkSizes) : [bytes];
    for (const [turn, piece] of pieces.entries()) {
      if (turn > 0) await pause(options.delayMs ?? 0);
      this.emitRaw(piece);
    }
  }

  /** Streams that are open go on; the next login needs the new one. */
  setPassword(password: string, user = this.mainUser): void {
    this.gate.setPassword(user, password);
  }

  /** The next `requests` attach requests with a right login are answered as "too many connections"; 0 ends that. */
  busy(requests = Infinity): void {
    this.busyLeft = requests;
  }

  /**
   * Half-open: sockets stay, no byte comes. `everything`: all connections, also new ones, until `speak`; `streams`: only the
   * streams open now, for good or until `speak` (as after a lost NAT entry). What would have been said meanwhile is lost.
   */
  goSilent(what: 'everything' | 'streams' = 'everything'): void {
    if (what === 'everything') this.silent = true;
    for (const stream of this.streams) stream.silent = true;
  }

  speak(): void {
    this.silent = false;
    for (const stream of this.streams) stream.silent = false;
  }

  /** Ends every stream in good order. */
  endStreams(): void {
    for (const stream of this.streams) stream.end();
  }

  /**
   * Drops all connections and stops listening: new ones are refused. A client with unread bytes may see an end instead of the
   * reset; the kernel decides.
   */
  async powerOff(how: 'fin' | 'rst' = 'rst'): Promise<void> {
    const server = this.listening;
    this.listening = undefined;
    const gone: Promise<unknown>[] = [...this.connections].map((connection) => connection.gone);
    if (server) gone.push(once(server, 'close'));
    server?.close();
    for (const stream of this.streams) stream.stop();
    for (const { raw, wire } of this.connections) {
      if (how === 'rst') raw.resetAndDestroy();
      wire.destroy();
      raw.destroy();
    }
    await Promise.all(gone);
  }

  /** Listens (again, on the same port); nonces, lock and active events of before are forgotten. */
  async powerOn(): Promise<void> {
    if (this.closed || this.listening) return;
    this.gate.restart();
    this.active.clear();
    const server = createServer({ noDelay: true }, (raw) => this.accept(raw));
    this.listening = server;
    server.listen(this.boundPort, this.host);
    await once(server, 'listening');
    this.boundPort = (server.address() as AddressInfo).port;
  }

  /** Off for `ms`, then on. */
  async reboot(ms: number, how: 'fin' | 'rst' = 'rst'): Promise<void> {
    await this.powerOff(how);
    await pause(ms);
    await this.powerOn();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.powerOff('fin');
  }

  private accept(raw: Socket): void {
    this.stats.connectionsOpened += 1;
    raw.on('error', () => undefined);
    const { limits } = this.options;
    if (limits?.resetNewConnections && this.streams.size >= (limits.streams ?? Infinity)) {
      raw.resetAndDestroy();
      return;
    }
    const { mode } = this;
    const plain = mode === 'hang' || mode === 'acceptThenClose';
    const wire = this.secure && !plain ? new TLSSocket(raw, { isServer: true, secureContext: this.secure }) : raw;
    wire.on('error', () => raw.destroy());
    const gone = new Promise<void>((resolve) => {
      wire.once('close', () => {
        raw.destroy();
        this.connections.delete(connection);
        this.stats.connectionsOpen = this.connections.size;
        this.stats.changed();
        resolve();
      });
    });
    const connection: Connection = { raw, wire, gone };
    this.connections.add(connection);
    this.stats.connectionsOpen = this.connections.size;
    if (plain) raw.resume();
    else readRequests(wire, (request) => this.serve(connection, request));
    if (mode === 'acceptThenClose') raw.end();
    this.stats.changed();
  }

  /** True when the connection stays with HTTP, false when it became a stream or has no more to say. */
  private serve(connection: Connection, request: WireRequest): boolean {
    this.stats.requests += 1;
    const seen = { at: this.clock.now(), method: request.method, target: request.target, status: 0 };
    DahuaStats.remember(this.stats.requestLog, seen);
    const answer = this.silent ? 'nothing' : this.answerTo(connection, request);
    seen.status = answer === 'stream' ? 200 : answer === 'nothing' ? 0 : answer.status;
    if (typeof answer === 'string') {
      this.stats.changed();
      return false;
    }
    const close = answer.close ?? (request.version === '1.0' || request.headers.get('connection')?.toLowerCase() === 'close');
    const bytes = answerBytes({ ...answer, close }, this.options.httpVersion ?? '1.1');
    this.stats.bytesSent += bytes.length;
    connection.wire.write(bytes);
    if (close) connection.wire.end();
    this.stats.changed();
    return !close;
  }

  private answerTo(connection: Connection, request: WireRequest): WireAnswer | 'stream' | 'nothing' {
    const { limits, noCgi } = this.options;
    if (this.mode === 'hang') return 'nothing';
    if (this.mode === 'answerHtml') return { status: 200, headers: [['Content-Type', 'text/html']], body: LOGIN_PAGE };
    if (noCgi !== undefined) return { status: noCgi };
    if (this.connections.size > (limits?.connections ?? Infinity)) return this.tooMany();
    const refused = this.gate.refusal(request);
    if (refused) return refused;
    const call = parseTarget(request.target);
    if (!call) return badRequest(400);
    if (call.path === '/cgi-bin/eventManager.cgi' && call.query.get('action') === 'attach') return this.attach(connection, call);
    return page(call, this.face) ?? { status: 404, headers: [['Content-Type', 'text/plain']], body: 'Error\r\nNot Found!\r\n' };
  }

  private attach(connection: Connection, call: CgiCall): WireAnswer | 'stream' {
    if (this.busyLeft > 0 || this.streams.size >= (this.options.limits?.streams ?? Infinity)) {
      if (this.busyLeft > 0) this.busyLeft -= 1;
      return this.tooMany();
    }
    const wanted = subscription(call, this.options);
    if ('status' in wanted) return wanted;
    this.openStream(connection.wire, wanted);
    return 'stream';
  }

  private openStream(wire: Duplex, { codes, heartbeatMs }: Subscription): void {
    const { chunker, maxQueuedBytes = MAX_QUEUED } = this.options;
    const stream = new EventStream(wire, { codes, chunker, maxQueuedBytes }, {
      sent: (bytes) => (this.stats.bytesSent += bytes),
      dropped: () => (this.stats.streamsDropped += 1),
    });
    stream.write(streamHead(this.options));
    this.stats.streamsOpened += 1;
    if (this.mode === 'endAtOnce') {
      stream.end();
      return;
    }
    this.streams.add(stream);
    this.stats.streamsOpen = this.streams.size;
    if (heartbeatMs > 0) stream.beatEvery(heartbeatMs, () => this.beatOn(stream));
    wire.once('close', () => {
      stream.stop();
      this.streams.delete(stream);
      this.stats.streamsOpen = this.streams.size;
      this.stats.changed();
    });
  }

  private beatOn(stream: EventStream): void {
    if (!stream.write(frame(HEARTBEAT, this.framing, this.options.boundary))) return;
    this.stats.heartbeatsSent += 1;
    this.stats.changed();
  }

  private tooMany(): WireAnswer {
    this.stats.refusedBusy += 1;
    const { status = 401, body = 'text' } = this.options.limits ?? {};
    const text = body === 'text' ? 'Exceeded maximum number of connections' : '';
    return status === 401 ? this.gate.unauthorized(undefined, text) : { status, headers: [['Content-Type', 'text/plain']], body: text };
  }

  private noteState(code: string, action: string, index = 0): void {
    const indexes = this.active.get(code) ?? new Set<number>();
    if (action === 'Start') this.active.set(code, indexes.add(index));
    if (action === 'Stop') indexes.delete(index);
  }
}
