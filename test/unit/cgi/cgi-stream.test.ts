import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CgiStream, type CgiStreamReport, type CgiSubscriber } from '../../../nodes/cgi/cgi-stream';
import type { CameraEvent } from '../../../nodes/kit/camera-event';
import type { ConnectionState } from '../../../nodes/kit/connection';
import { DeviceHttp } from '../../../nodes/kit/digest';
import type { CodedError } from '../../../nodes/kit/errors';
import { createAgent } from '../../../nodes/kit/http';
import { LoginGate } from '../../../nodes/kit/login-gate';
import { startDahuaDevice, type DahuaDevice } from '../../devices/dahua/dahua-device';
import type { DahuaDeviceOptions } from '../../devices/dahua/options';
import { ManualClock } from '../support/manual-clock';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

let clock: ManualClock;
let device: DahuaDevice;
let endings: (() => Promise<unknown>)[];

beforeEach(() => {
  clock = new ManualClock();
  endings = [];
});
afterEach(async () => {
  for (const end of endings.reverse()) await end();
});

/** The real machine turns while the clock stands still. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Long enough for what must not happen to happen. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

async function given(options: DahuaDeviceOptions = {}): Promise<void> {
  device = await startDahuaDevice({ heartbeatUnitMs: 1e8, ...options });
  endings.push(() => device.close());
}

/** Says the first of each, as the kit does. */
class Log implements CgiStreamReport {
  readonly lines: string[] = [];
  #isDown = false;
  down = (error: CodedError): void => {
    if (!this.#isDown) this.lines.push(`down ${error.code}`);
    this.#isDown = true;
  };
  up = (): void => {
    if (this.#isDown) this.lines.push('up');
    this.#isDown = false;
  };
  blocked = (error: CodedError): void => void this.lines.push(`blocked ${error.code}`);
  damaged = (error: CodedError): void => void this.lines.push(`damaged ${error.code}`);
}

interface Listening {
  stream: CgiStream;
  log: Log;
}

function listening(settings: { password?: string; gate?: LoginGate; random?: () => number; heartbeat?: number } = {}): Listening {
  const log = new Log();
  const agent = createAgent({ tls: { mode: 'verify' }, connections: 1, connectTimeoutMs: 500, headersTimeoutMs: 500, bodyTimeoutMs: 0 });
  const login = { user: 'admin', password: settings.password ?? 'admin123', allowBasic: false };
  const origin = device.url;
  const stream = new CgiStream({
    device: { id: 'door' },
    address: 'door:80',
    heartbeat: settings.heartbeat ?? 5,
    backoff: { base: 1.5, max: 60 },
    charset: 'auto',
    gate: settings.gate ?? new LoginGate(clock),
    clock,
    random: settings.random ?? (() => 0),
    request: (path, signal) => new DeviceHttp({ origin, login, dispatcher: agent }).request(path, { signal }),
    report: log,
  });
  endings.push(async () => {
    await stream.close();
    await agent.destroy();
  });
  return { stream, log };
}

class Listener implements CgiSubscriber {
  readonly events: CameraEvent[] = [];
  readonly states: ConnectionState[] = [];
  constructor(readonly codes: readonly string[] = ['All']) {}
  event = (event: CameraEvent): void => void this.events.push(event);
  state = (state: ConnectionState): void => void this.states.push(state);

  get names(): string[] {
    return this.states.map(({ state }) => state);
  }
  get last(): ConnectionState | undefined {
    return this.states.at(-1);
  }
  /** Waits for the n-th state of this name. */
  async reaches(name: ConnectionState['state'], times = 1): Promise<void> {
    await until(() => this.names.filter((given) => given === name).length >= times);
  }
}

/** Subscribes and lets the first attempt begin. */
function subscribe(stream: CgiStream, listener: Listener): () => void {
  const leave = stream.subscribe(listener);
  clock.advance(50);
  return leave;
}

async function connected(stream: CgiStream, listener = new Listener()): Promise<{ listener: Listener; leave: () => void }> {
  const leave = subscribe(stream, listener);
  await device.stats.until((stats) => stats.streamsOpen > 0);
  device.beat();
  await listener.reaches('connected');
  return { listener, leave };
}

test('is connected with the first byte, not with the status line', async () => {
  await given();
  const { stream } = listening();
  const listener = new Listener();
  subscribe(stream, listener);
  await device.stats.until((stats) => stats.streamsOpen === 1);
  await settle();
  expect(listener.names).toEqual(['connecting']);
  device.beat();
  await listener.reaches('connected');
});

describe('back-off', () => {
  test('grows with base 1.5 to 60 s, and starts again after a healthy minute only', async () => {
    await given();
    await device.powerOff();
    const { stream } = listening();
    const listener = new Listener();
    subscribe(stream, listener);
    const waits: number[] = [];
    for (let failure = 1; failure <= 12; failure++) {
      await listener.reaches('disconnected', failure);
      const state = listener.last as ConnectionState & { state: 'disconnected' };
      expect(state.attempt).toBe(failure);
      waits.push(state.retryInMs);
      if (failure === 12) await device.powerOn();
      clock.advance(state.retryInMs);
    }
    expect(waits.slice(0, 4)).toEqual([1500, 2250, 3375, 5063]);
    expect(waits.slice(-2)).toEqual([60_000, 60_000]);

    await device.stats.until((stats) => stats.streamsOpened === 1);
    device.beat();
    await listener.reaches('connected');
    device.endStreams();
    await listener.reaches('disconnected', 13);
    expect(listener.last).toMatchObject({ state: 'disconnected', retryInMs: 60_000, reason: { code: 'CGI_ENDED' } });

    clock.advance(60_000);
    await device.stats.until((stats) => stats.streamsOpened === 2);
    device.beat();
    await listener.reaches('connected', 2);
    for (let second = 0; second < 61; second += 10) {
      clock.advance(10 * SECOND);
      device.emit({ code: 'VideoMotion', action: 'Start', index: second });
      await until(() => listener.events.some(({ channel }) => channel === second));
    }
    device.endStreams();
    await listener.reaches('disconnected', 14);
    expect(listener.last).toMatchObject({ retryInMs: 1500 });
  });

  test('spreads its waits over the whole span', async () => {
    await given();
    await device.powerOff();
    const { stream } = listening({ random: () => 0.75 });
    const listener = new Listener();
    subscribe(stream, listener);
    await listener.reaches('disconnected');
    expect(listener.last).toMatchObject({ retryInMs: 375 });
  });
});

describe('what goes wrong at the device mends by itself', () => {
  test('reboot: one line down, one line up, events come again', async () => {
    await given();
    const { stream, log } = listening();
    const { listener } = await connected(stream);
    await device.powerOff('rst');
    await listener.reaches('disconnected', 1);
    clock.advance(60 * SECOND);
    await listener.reaches('disconnected', 2);
    await device.powerOn();
    clock.advance(60 * SECOND);
    await device.stats.until((stats) => stats.streamsOpened === 2);
    device.emit({ code: 'VideoMotion', action: 'Start', index: 0 });
    await until(() => listener.events.length === 1);
    expect(log.lines.map((line) => line.split(' ')[0])).toEqual(['down', 'up']);
    expect(listener.names).toEqual(['connecting', 'connected', 'disconnected', 'connecting', 'disconnected', 'connecting', 'connected']);
  });

  test('silence of three heartbeats on an open socket', async () => {
    await given();
    const { stream, log } = listening({ heartbeat: 5 });
    const { listener } = await connected(stream);
    device.goSilent('streams');
    clock.advance(14 * SECOND);
    await settle();
    expect(listener.last?.state).toBe('connected');
    clock.advance(SECOND);
    await listener.reaches('disconnected');
    expect(listener.last).toMatchObject({ reason: { code: 'CGI_SILENT' } });
    await device.stats.until((stats) => stats.streamsOpen === 0);
    clock.advance(60 * SECOND);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    device.beat();
    await listener.reaches('connected', 2);
    expect(log.lines).toEqual(['down CGI_SILENT', 'up']);
  });

  test('half-open from the start: nothing after the status line', async () => {
    await given();
    const { stream } = listening();
    const listener = new Listener();
    subscribe(stream, listener);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    await settle();
    clock.advance(15 * SECOND);
    await listener.reaches('disconnected');
    expect(listener.names).toEqual(['connecting', 'disconnected']);
  });

  test('a 200 that ends at once is a failure, never a connection', async () => {
    await given();
    device.mode = 'endAtOnce';
    const { stream, log } = listening();
    const listener = new Listener();
    subscribe(stream, listener);
    await listener.reaches('disconnected', 1);
    clock.advance(60 * SECOND);
    await listener.reaches('disconnected', 2);
    expect(listener.names).not.toContain('connected');
    expect(log.lines).toEqual(['down CGI_ENDED']);
    device.mode = 'normal';
    clock.advance(60 * SECOND);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    device.beat();
    await listener.reaches('connected');
    expect(log.lines).toEqual(['down CGI_ENDED', 'up']);
  });

  test.each([
    ['hang', 'TIMEOUT'],
    ['acceptThenClose', 'CONNECTION_LOST'],
    ['answerHtml', 'CGI_NOT_A_STREAM'],
  ] as const)('%s', async (mode, code) => {
    await given();
    device.mode = mode;
    const { stream } = listening();
    const listener = new Listener();
    subscribe(stream, listener);
    await listener.reaches('disconnected');
    expect(listener.last).toMatchObject({ reason: { code } });
    device.mode = 'normal';
    clock.advance(60 * SECOND);
    await device.stats.until((stats) => stats.streamsOpen === 1);
  });

  test('an event cut off by the end of the stream is handed on with what came', async () => {
    await given();
    const { stream } = listening();
    const { listener } = await connected(stream);
    device.emitRaw(Buffer.from('--myboundary\r\nContent-Length: 90\r\n\r\nCode=VideoMotion;action=Start;index=3;data={\n   "Id" : [ 0'));
    await settle();
    device.endStreams();
    await listener.reaches('disconnected');
    expect(listener.events).toMatchObject([{ code: 'VideoMotion', channel: 3, data: {}, raw: '{\n   "Id" : [ 0' }]);
  });

  test.each([400, 500] as const)('a list of codes refused with %i is asked for as All, once, and no word of it', async (answer) => {
    await given({ codeList: { longest: 1, answer } });
    const { stream, log } = listening();
    const { listener } = await connected(stream, new Listener(['VideoMotion', 'AlarmLocal']));
    const attaches = device.stats.requestLog.filter(({ target }) => target.includes('attach'));
    expect(attaches.at(-1)?.target).toContain('codes=[All]');
    expect(listener.names).not.toContain('disconnected');
    expect(log.lines).toEqual([]);
    device.endStreams();
    await listener.reaches('disconnected');
    clock.advance(60 * SECOND);
    await device.stats.until((stats) => stats.streamsOpened === 2);
    expect(device.stats.requestLog.filter(({ status }) => status === answer)).toHaveLength(1);
  });

  test('a list of codes that is taken and never served is asked for as All', async () => {
    await given({ codeList: { longest: 1, answer: 'silent' } });
    const { stream } = listening();
    const listener = new Listener(['VideoMotion', 'AlarmLocal']);
    subscribe(stream, listener);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    await settle();
    clock.advance(15 * SECOND);
    await listener.reaches('disconnected');
    clock.advance(60 * SECOND);
    await until(() => device.stats.requestLog.some(({ target }) => target.includes('codes=[All]')));
  });

  test('no CGI at all is asked again at the longest wait', async () => {
    await given({ noCgi: 404 });
    const { stream } = listening();
    const listener = new Listener();
    subscribe(stream, listener);
    await listener.reaches('disconnected');
    expect(listener.last).toMatchObject({ reason: { code: 'CGI_NOT_SUPPORTED' }, retryInMs: 60_000 });
  });
});

describe('logins', () => {
  test('a wrong password is sent three times in all, then held back for 30 minutes, also after a redeploy', async () => {
    await given();
    const gate = new LoginGate(clock);
    const first = listening({ password: 'wrong', gate });
    const listener = new Listener();
    subscribe(first.stream, listener);
    for (let refusal = 1; refusal <= 2; refusal++) {
      await listener.reaches('disconnected', refusal);
      expect(listener.last).toMatchObject({ reason: { code: 'AUTH_REFUSED' } });
      clock.advance(60 * SECOND);
    }
    await listener.reaches('blocked');
    expect(listener.last).toMatchObject({ reason: { code: 'AUTH_REFUSED' }, retryInMs: 30 * MINUTE });
    expect(device.stats.badLogins).toHaveLength(3);
    expect(first.log.lines).toEqual(['down AUTH_REFUSED', 'blocked AUTH_REFUSED']);
    await first.stream.close();

    clock.advance(10 * MINUTE);
    const requests = device.stats.requests;
    const again = listening({ password: 'wrong', gate });
    const second = new Listener();
    subscribe(again.stream, second);
    await second.reaches('blocked');
    expect((second.last as { retryInMs: number }).retryInMs).toBeCloseTo(20 * MINUTE - 50, -2);
    await settle();
    expect(device.stats.requests).toBe(requests);

    device.setPassword('wrong');
    clock.advance(20 * MINUTE);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    expect(device.stats.badLogins).toHaveLength(3);
  });

  test('retry lifts the block and allows three more', async () => {
    await given();
    const { stream } = listening({ password: 'wrong' });
    const listener = new Listener();
    subscribe(stream, listener);
    for (let refusal = 1; refusal <= 2; refusal++) {
      await listener.reaches('disconnected', refusal);
      clock.advance(60 * SECOND);
    }
    await listener.reaches('blocked');
    stream.retry();
    await listener.reaches('disconnected', 3);
    expect(device.stats.badLogins).toHaveLength(4);
    clock.advance(60 * SECOND);
    await listener.reaches('disconnected', 4);
    clock.advance(60 * SECOND);
    await listener.reaches('blocked', 2);
    expect(device.stats.badLogins).toHaveLength(6);
  });

  test('after the block one login is tried, and its refusal blocks again', async () => {
    await given();
    const { stream } = listening({ password: 'wrong' });
    const listener = new Listener();
    subscribe(stream, listener);
    for (let refusal = 1; refusal <= 2; refusal++) {
      await listener.reaches('disconnected', refusal);
      clock.advance(60 * SECOND);
    }
    await listener.reaches('blocked', 1);
    clock.advance(30 * MINUTE);
    await listener.reaches('blocked', 2);
    expect(device.stats.badLogins).toHaveLength(4);
  });

  test('a refusal after a login that worked is waited out: 30 s, then 60 s', async () => {
    await given({ limits: { body: 'empty' } });
    const { stream, log } = listening();
    const { listener } = await connected(stream);
    device.busy(2);
    device.endStreams();
    await listener.reaches('disconnected', 1);
    clock.advance(2 * SECOND);
    await listener.reaches('disconnected', 2);
    expect(listener.last).toMatchObject({ reason: { code: 'AUTH_BUSY' }, retryInMs: 30 * SECOND });
    clock.advance(30 * SECOND);
    await listener.reaches('disconnected', 3);
    expect(listener.last).toMatchObject({ reason: { code: 'AUTH_BUSY' }, retryInMs: 60 * SECOND });
    clock.advance(60 * SECOND);
    await device.stats.until((stats) => stats.streamsOpened === 2);
    device.beat();
    await listener.reaches('connected', 2);
    expect(log.lines).toEqual(['down CGI_ENDED', 'up']);
  });

  test('a connection limit that is named as such never blocks', async () => {
    await given({ limits: { body: 'text' } });
    device.busy(6);
    const { stream } = listening();
    const listener = new Listener();
    subscribe(stream, listener);
    for (let refusal = 1; refusal <= 6; refusal++) {
      await listener.reaches('disconnected', refusal);
      expect(listener.last).toMatchObject({ reason: { code: 'AUTH_BUSY' } });
      clock.advance(30 * MINUTE);
    }
    await device.stats.until((stats) => stats.streamsOpen === 1);
  });

  test.each(['minutes', 'seconds', 'forbidden'] as const)('a locked account (%s) is not asked until the lock has passed', async (answer) => {
    await given({ lockout: { attempts: 1, ms: 10 * MINUTE, answer } });
    const { stream } = listening({ password: 'wrong' });
    const listener = new Listener();
    subscribe(stream, listener);
    await listener.reaches('disconnected');
    clock.advance(2 * SECOND);
    await listener.reaches('blocked');
    const state = listener.last as ConnectionState & { state: 'blocked' };
    expect(state.reason.code).toBe(answer === 'forbidden' ? state.reason.code : 'AUTH_LOCKED');
    expect(state.retryInMs).toBeGreaterThanOrEqual(10 * MINUTE);
    const { requests } = device.stats;
    clock.advance(state.retryInMs - SECOND);
    await settle();
    expect(device.stats.requests).toBe(requests);
  });
});

describe('one stream for all', () => {
  test('five listeners share it, four go on when one leaves, the last closes the socket', async () => {
    await given();
    const { stream } = listening();
    const listeners = Array.from({ length: 5 }, () => new Listener());
    const leave = listeners.map((listener) => stream.subscribe(listener));
    clock.advance(50);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    device.emit({ code: 'VideoMotion', action: 'Start', index: 0, data: { Id: [1] } });
    await until(() => listeners.every(({ events }) => events.length === 1));
    const payloads = new Set(listeners.map(({ events }) => events[0]!.data));
    expect(payloads.size).toBe(5);

    leave[0]!();
    device.emit({ code: 'VideoMotion', action: 'Stop', index: 0 });
    await until(() => listeners.slice(1).every(({ events }) => events.length === 2));
    expect(listeners[0]!.events).toHaveLength(1);
    expect(device.stats).toMatchObject({ streamsOpened: 1, streamsOpen: 1 });

    for (const each of leave.slice(1)) each();
    await device.stats.until((stats) => stats.streamsOpen === 0 && stats.connectionsOpen === 0);
  });

  test('asks for the codes that any of them wants, and again when another joins', async () => {
    await given();
    const { stream } = listening();
    const motion = new Listener(['VideoMotion']);
    const alarm = new Listener(['AlarmLocal', 'VideoMotion']);
    stream.subscribe(motion);
    stream.subscribe(alarm);
    clock.advance(50);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    expect(device.stats.requestLog.at(-1)?.target).toContain('codes=[AlarmLocal,VideoMotion]&heartbeat=5');
    const loss = new Listener(['VideoLoss']);
    stream.subscribe(loss);
    await device.stats.until((stats) => stats.streamsOpened === 2);
    expect(device.stats.requestLog.at(-1)?.target).toContain('codes=[AlarmLocal,VideoLoss,VideoMotion]');
    await device.stats.until((stats) => stats.streamsOpen === 1);
    expect(motion.names).not.toContain('disconnected');
  });

  test('a listener that comes while the last connection is closing gets a new one', async () => {
    await given();
    const { stream } = listening();
    const { leave } = await connected(stream);
    leave();
    const next = new Listener();
    subscribe(stream, next);
    await until(() => next.names.includes('stopped'));
    clock.advance(50);
    await device.stats.until((stats) => stats.streamsOpened === 2 && stats.streamsOpen === 1);
    device.beat();
    await next.reaches('connected');
  });

  test('leaves no timer behind', async () => {
    await given();
    const { stream } = listening();
    await connected(stream);
    await stream.close();
    expect(clock.waiting).toBe(0);
  });
});
