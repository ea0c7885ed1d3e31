import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { oneByteChunks } from '../../devices/chunker';
import { startDahuaDevice, type DahuaDevice } from '../../devices/dahua/dahua-device';
import { FRAMING_STYLES, frame, HEARTBEAT } from '../../devices/dahua/framing';
import { nvrIdentity } from '../../devices/dahua/identity';
import type { DahuaDeviceOptions } from '../../devices/dahua/options';
import { selfSignedPair } from '../../devices/self-signed';
import { ATTACH, digestFor, get, Listener } from './plain-client';

const MOTION = { code: 'VideoMotion', action: 'Start', index: 0 };
let device: DahuaDevice;
let listeners: Listener[] = [];
const start = async (options: DahuaDeviceOptions = {}): Promise<DahuaDevice> => (device = await startDahuaDevice({ auth: 'none', ...options }));
const listen = async (target = ATTACH): Promise<Listener> => {
  const before = device.stats.streamsOpened;
  const listener = new Listener(device, target);
  listeners.push(listener);
  await device.stats.until((stats) => stats.streamsOpened > before);
  return listener;
};
const codes = (list: string, more = ''): string => `/cgi-bin/eventManager.cgi?action=attach&codes=${list}${more}`;
afterEach(async () => {
  for (const listener of listeners) listener.close();
  listeners = [];
  await device.close();
});

describe('pages (facts A4)', () => {
  it('tells who it is', async () => {
    await start();
    const ask = async (action: string): Promise<string> => (await get(device, `/cgi-bin/magicBox.cgi?action=${action}`)).body;
    expect(await ask('getMachineName')).toBe('name=PlazaNorte\r\n');
    expect(await ask('getDeviceType')).toBe('type=IPC-HFW5442E-ZE\r\n');
    expect(await ask('getVendor')).toBe('vendor=Dahua\r\n');
    expect(await ask('getSoftwareVersion')).toBe('version=2.820.0000000.18.R,build:2021-11-05\r\n');
    expect((await get(device, '/cgi-bin/magicBox.cgi?action=getNothing')).status).toBe(404);
    expect((await get(device, '/')).status).toBe(404);
  });

  it('as an NVR has its model in updateSerial, and several channels', async () => {
    await start({ identity: nvrIdentity, channels: ['Gate', Buffer.from([0xb6, 0xab])] });
    expect((await get(device, '/cgi-bin/magicBox.cgi?action=getSystemInfo')).body).toMatch(/^deviceType=31\r\n.*\r\n.*\r\nupdateSerial=DHI-NVR/s);
    const titles = (await get(device, '/cgi-bin/configManager.cgi?action=getConfig&name=ChannelTitle')).body;
    expect(titles).toMatch(/^table\.ChannelTitle\[0\]\.Name=Gate\r\ntable\.ChannelTitle\[1\]\.Name=/);
  });

  it('lists the indexes that are active', async () => {
    await start();
    const ask = async (): Promise<string> => (await get(device, '/cgi-bin/eventManager.cgi?action=getEventIndexes&code=VideoMotion')).body;
    expect(await ask()).toBe('');
    device.emit([{ ...MOTION, index: 5 }, MOTION, { code: 'VideoLoss', action: 'Start', index: 1 }]);
    expect(await ask()).toBe('channels[0]=0\r\nchannels[1]=5\r\n');
    device.emit({ ...MOTION, action: 'Stop' });
    expect(await ask()).toBe('channels[0]=5\r\n');
  });

  it.each([404, 501] as const)('answers %i everywhere without CGI', async (noCgi) => {
    await start({ noCgi });
    expect((await get(device, ATTACH)).status).toBe(noCgi);
  });
});

describe('attach (facts A1)', () => {
  it('answers with the head of the facts', async () => {
    await start();
    const listener = await listen();
    expect(await listener.until('\r\n\r\n')).toBe(
      'HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nExpires: Thu, 01 Dec 2099 16:00:00 GMT\r\n' +
        'Connection: close\r\nContent-Type: multipart/x-mixed-replace; boundary=myboundary\r\n\r\n',
    );
  });

  it('speaks HTTP/1.0 and Keep-Alive when told so', async () => {
    await start({ httpVersion: '1.0', streamConnection: 'Keep-Alive' });
    const head = await (await listen()).until('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.0 200 OK\r\n[^]*\r\nConnection: Keep-Alive\r\n/);
  });

  it.each(['[All]', '%5BAll%5D', 'All', '[VideoMotion,VideoLoss]', '%5BVideoLoss%2CVideoMotion%5D'])('codes=%s has VideoMotion', async (list) => {
    await start();
    const listener = await listen(codes(list));
    expect(device.emit(MOTION)).toBe(1);
    await listener.until('Code=VideoMotion;action=Start;index=0');
  });

  it('sends only what was asked for, to every stream', async () => {
    await start();
    const [all, loss] = [await listen(), await listen(codes('[VideoLoss]'))];
    expect(device.emit(MOTION)).toBe(1);
    expect(device.emit({ ...MOTION, code: 'VideoLoss' })).toBe(2);
    await all.until('Code=VideoLoss');
    expect(await loss.until('Code=VideoLoss')).not.toContain('VideoMotion');
    expect(device.stats).toMatchObject({ eventsEmitted: 2, eventsSent: 3, streamsOpen: 2, streamsOpened: 2 });
  });

  it.each([['&heartbeat=61', 400], ['&heartbeat=x', 400], ['&heartbeat=-1', 400]])('refuses %s', async (more, status) => {
    await start();
    expect((await get(device, ATTACH + more)).status).toBe(status);
  });

  it('refuses a request without codes', async () => {
    await start();
    expect((await get(device, '/cgi-bin/eventManager.cgi?action=attach')).status).toBe(400);
  });

  it.each([400, 500] as const)('refuses a long list with %i, and takes a short one', async (answer) => {
    await start({ codeList: { longest: 1, answer } });
    expect((await get(device, codes('[A,B]'))).status).toBe(answer);
    await listen(codes('[A]'));
    await listen(codes('[All]'));
  });

  it('takes a long list and never says a word', async () => {
    await start({ codeList: { longest: 1, answer: 'silent' }, heartbeatUnitMs: 1 });
    await listen(codes('[VideoMotion,B]', '&heartbeat=1'));
    const other = await listen(codes('[VideoMotion]', '&heartbeat=1'));
    await other.until('Heartbeat');
    expect(device.emit(MOTION)).toBe(1);
  });

  it('beats as often as asked, and not when not asked', async () => {
    await start({ heartbeatUnitMs: 5 });
    const quiet = await listen();
    await listen(`${ATTACH}&heartbeat=1`);
    await device.stats.until((stats) => stats.heartbeatsSent >= 3);
    expect(quiet.body).toBe('');
    device.beat();
    await quiet.until('Heartbeat');
  });
});

describe('bytes', () => {
  it('frames in the style of the moment', async () => {
    await start({ boundary: 'edge', streamContentType: 'multipart/x-mixed-replace; boundary="--edge"' });
    const listener = await listen();
    let expected = '';
    for (const style of FRAMING_STYLES) {
      device.framing = style;
      device.emit(MOTION);
      device.beat();
      expected += `${frame(Buffer.from('Code=VideoMotion;action=Start;index=0'), style, 'edge').toString()}${frame(HEARTBEAT, style, 'edge').toString()}`;
    }
    await listener.until(expected);
    expect(listener.body).toBe(expected);
  });

  it('arrive whole and in order through a chunker', async () => {
    await start({ chunker: oneByteChunks });
    const listener = await listen();
    device.emit({ ...MOTION, data: { Name: 'x' } });
    device.emit({ ...MOTION, action: 'Stop' });
    await listener.until('action=Stop;index=0\r\n\r\n');
    expect(listener.body.indexOf('action=Start')).toBeLessThan(listener.body.indexOf('action=Stop'));
  });

  it('are played back as recorded, in pieces', async () => {
    await start();
    const listener = await listen();
    await device.play(Buffer.from('abcdefghij'), { chunkSizes: [1, 3] });
    await listener.until('abcdefghij');
  });

  it('do not pile up for a client that does not read', async () => {
    await start({ maxQueuedBytes: 1_000_000 });
    const listener = await listen();
    listener.socket.pause();
    const block = Buffer.alloc(100_000);
    for (let turn = 0; turn < 200 && device.stats.streamsDropped === 0; turn += 1) device.emitRaw(block);
    await device.stats.until((stats) => stats.streamsOpen === 0);
    expect(device.stats.streamsDropped).toBe(1);
  });
});

describe('trouble', () => {
  it('goes silent on all connections, and speaks again', async () => {
    await start({ heartbeatUnitMs: 1 });
    const listener = await listen(`${ATTACH}&heartbeat=1`);
    device.goSilent();
    const before = device.stats.bytesSent;
    expect(device.emit(MOTION)).toBe(0);
    new Listener(device).socket.unref();
    await device.stats.until((stats) => stats.requestLog.at(-1)?.status === 0);
    expect(device.stats.bytesSent).toBe(before);
    device.speak();
    await listener.until('Heartbeat');
  });

  it('goes silent on old streams only', async () => {
    await start();
    await listen();
    device.goSilent('streams');
    await listen();
    expect(device.emit(MOTION)).toBe(1);
    expect(device.stats.streamsOpen).toBe(2);
  });

  it('ends streams in good order', async () => {
    await start();
    const listener = await listen();
    device.endStreams();
    expect(await listener.closed).toBe('fin');
  });

  it.each([['rst', 'reset'], ['fin', 'fin']] as const)('reboots with %s, refuses meanwhile, and comes back on its port', async (how, seen) => {
    await start();
    const { port } = device;
    const listener = await listen();
    await listener.until('\r\n\r\n');
    await device.powerOff(how);
    expect(await listener.closed).toBe(seen);
    await expect(get(device, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await device.powerOn();
    expect(device.port).toBe(port);
    await listen();
    await device.reboot(1, how);
    expect((await get(device, '/')).status).toBe(404);
    expect(device.stats.streamsOpen).toBe(0);
  });

  it('resets TLS connections too', async () => {
    const tls = selfSignedPair();
    await start({ tls });
    const socket = tlsConnect({ port: device.port, host: device.host, ca: tls.cert });
    socket.write(`GET ${ATTACH} HTTP/1.1\r\n\r\n`);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    await new Promise((resolve) => socket.once('data', resolve));
    const failed = new Promise((resolve) => socket.once('error', resolve));
    await device.powerOff('rst');
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  });

  it('forgets its nonces over a reboot', async () => {
    await start({ auth: {} });
    const challenge = [(await get(device, '/')).headers['www-authenticate']].join();
    await device.reboot(1);
    const answer = await get(device, '/', digestFor(challenge, '/'));
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/,stale=true$/);
    expect(device.stats.badLogins).toEqual([]);
  });

  it('accepts and closes', async () => {
    await start();
    device.mode = 'acceptThenClose';
    await expect(get(device, '/')).rejects.toThrow();
    expect(device.stats.connectionsOpened).toBe(1);
  });

  it.each([undefined, selfSignedPair()])('hangs, with and without TLS', async (tls) => {
    await start(tls ? { tls } : {});
    device.mode = 'hang';
    const socket = connect(device.port, device.host);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await device.stats.until((stats) => stats.connectionsOpen === 1);
    expect(device.stats.bytesSent).toBe(0);
    socket.destroy();
  });

  it('shows a login page', async () => {
    await start({ auth: {} });
    device.mode = 'answerHtml';
    const answer = await get(device, ATTACH);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html');
  });

  it('answers attach and ends at once', async () => {
    await start();
    device.mode = 'endAtOnce';
    const listener = await listen();
    expect(await listener.closed).toBe('fin');
    expect(listener.body).toBe('');
  });
});

describe('connections', () => {
  it('serve several requests, also in one packet', async () => {
    await start();
    const listener = new Listener(device, '/a HTTP/1.1\r\n\r\nGET /b');
    listeners.push(listener);
    await device.stats.until((stats) => stats.requests === 2);
    expect(device.stats.requestLog).toMatchObject([{ target: '/a', status: 404 }, { target: '/b', status: 404 }]);
    expect(device.stats).toMatchObject({ connectionsOpened: 1, connectionsOpen: 1 });
  });

  it('that do not speak HTTP are closed', async () => {
    await start();
    const listener = new Listener(device, 'nonsense\r\n\r\n');
    listeners.push(listener);
    await listener.closed;
    expect(device.stats.requests).toBe(0);
  });

  it('can be TLS with a certificate made here', async () => {
    const tls = selfSignedPair();
    await start({ tls });
    const socket = tlsConnect({ port: device.port, host: device.host, ca: tls.cert });
    socket.write(`GET ${ATTACH} HTTP/1.1\r\n\r\n`);
    await device.stats.until((stats) => stats.streamsOpen === 1);
    expect(socket.authorized).toBe(true);
    device.emit(MOTION);
    let seen = '';
    for await (const chunk of socket) if ((seen += String(chunk)).includes('Code=VideoMotion')) break;
    await device.stats.until((stats) => stats.connectionsOpen === 0);
  });
});

it('runs 200 devices in one process', async () => {
  await start();
  const others = await Promise.all(Array.from({ length: 200 }, () => startDahuaDevice({ auth: 'none' })));
  const clients = others.map((other) => new Listener(other));
  await Promise.all(others.map((other) => other.stats.until((stats) => stats.streamsOpen === 1)));
  for (const other of others) for (let turn = 0; turn < 10; turn += 1) other.emit({ ...MOTION, index: turn });
  await Promise.all(clients.map((client) => client.until('index=9')));
  await Promise.all(others.map((other) => other.close()));
  expect(others.every((other) => other.stats.eventsSent === 10 && other.stats.connectionsOpen === 0)).toBe(true);
  for (const client of clients) client.close();
});
