import { afterEach, describe, expect, it } from 'vitest';
import { startDahuaDevice, type DahuaDevice } from '../../devices/dahua/dahua-device';
import type { DahuaDeviceOptions } from '../../devices/dahua/options';
import { ATTACH, digestFor, get, getWithLogin, Listener } from './plain-client';

const SERIAL = '/cgi-bin/magicBox.cgi?action=getSerialNo';
let device: DahuaDevice;
const start = async (options?: DahuaDeviceOptions): Promise<DahuaDevice> => (device = await startDahuaDevice(options));
afterEach(() => device.close());

describe('login', () => {
  it('is asked for, then checked', async () => {
    await start();
    const first = await get(device, SERIAL);
    expect(first.status).toBe(401);
    expect(first.headers['www-authenticate']).toMatch(/^Digest realm="Login to 9Z00FAKEPAG0001",qop="auth",nonce="[^"]+"$/);
    const second = await getWithLogin(device, SERIAL);
    expect(second).toMatchObject({ status: 200, body: 'sn=9Z00FAKEPAG0001\r\n' });
    expect(device.stats).toMatchObject({ requests: 3, challenges: 2, badLogins: [] });
    expect(device.stats.authorizations).toMatchObject([{ scheme: 'Digest', nc: '00000001', uri: SERIAL }]);
  });

  it('fails for a wrong password and is noted', async () => {
    await start({ clock: { now: () => 77 } });
    expect(await getWithLogin(device, SERIAL, 'guess')).toMatchObject({ status: 401, body: 'Error\r\nInvalid Authority!' });
    expect(device.stats.badLogins).toEqual([{ at: 77, why: 'wrong-response' }]);
  });

  it('needs the new password once it was changed', async () => {
    await start();
    device.setPassword('new');
    expect((await getWithLogin(device, SERIAL)).status).toBe(401);
    expect((await getWithLogin(device, SERIAL, 'new')).status).toBe(200);
  });

  it('checks the uri against the request line byte for byte, brackets literal or encoded', async () => {
    await start({ auth: { ncCheck: 'off' } });
    const encoded = '/cgi-bin/eventManager.cgi?action=attach&codes=%5BAll%5D';
    const challenge = [(await get(device, encoded)).headers['www-authenticate']].join();
    expect((await get(device, encoded, digestFor(challenge, ATTACH))).status).toBe(401);
    expect(device.stats.badLogins).toMatchObject([{ why: 'wrong-uri' }]);
  });

  it('can do with Basic alone, close on 401 and send a page of 100 KB', async () => {
    await start({ auth: { offerBasic: 'only', basicRealm: 'Device_CGI' }, closeOn401: true, unauthorizedBytes: 102_400 });
    const first = await get(device, SERIAL);
    expect(first.headers).toMatchObject({ 'www-authenticate': 'Basic realm="Device_CGI"', connection: 'close' });
    expect(first.body.length).toBe(102_400);
    const authorization = `Basic ${Buffer.from('admin:admin123').toString('base64')}`;
    expect((await get(device, SERIAL, authorization)).status).toBe(200);
  });

  it('is not needed where there is none', async () => {
    await start({ auth: 'none' });
    expect((await get(device, SERIAL)).status).toBe(200);
  });
});

describe('lockout (facts A8)', () => {
  let now = 0;
  const clock = { now: () => now };
  const fail = async (times: number): Promise<void> => {
    for (let turn = 0; turn < times; turn += 1) await getWithLogin(device, SERIAL, 'guess');
  };

  it.each([
    ['minutes', 401, 'Error\r\nUser Locked! Please try again after 30 minutes.'],
    ['seconds', 401, '401 Unauthorized (User Locked) remainLockSecond: 1800'],
    ['forbidden', 403, 'Error\r\nUser Locked! Please try again after 30 minutes.'],
  ] as const)('answers %s with %i', async (answer, status, body) => {
    await start({ clock, lockout: { attempts: 3, ms: 1_800_000, answer } });
    for (let turn = 0; turn < 2; turn += 1) {
      await fail(2);
      expect((await getWithLogin(device, SERIAL)).status).toBe(200);
    }
    await fail(3);
    expect(await get(device, SERIAL)).toMatchObject({ status, body });
  });

  it('refuses the right login too, begins anew with each, and ends', async () => {
    now = 0;
    await start({ clock, lockout: { attempts: 2, ms: 1000 } });
    const challenge = [(await get(device, SERIAL)).headers['www-authenticate']].join();
    await fail(2);
    now = 900;
    expect((await get(device, SERIAL, digestFor(challenge, SERIAL))).status).toBe(401);
    expect(device.stats.badLogins.at(-1)).toEqual({ at: 900, why: 'locked' });
    now = 1899;
    expect((await get(device, SERIAL)).body).toContain('User Locked');
    now = 1900;
    await fail(1);
    expect((await get(device, SERIAL, digestFor(challenge, SERIAL))).status).toBe(200);
  });
});

describe('limits', () => {
  it.each([
    [{}, 401, 'Exceeded maximum number of connections'],
    [{ body: 'empty' as const }, 401, ''],
    [{ status: 503 }, 503, 'Exceeded maximum number of connections'],
  ])('%o on streams', async (how, status, body) => {
    await start({ auth: 'none', limits: { streams: 1, ...how } });
    const listener = new Listener(device);
    await listener.until('\r\n\r\n');
    expect(await get(device, ATTACH)).toMatchObject({ status, body });
    expect((await get(device, SERIAL)).status).toBe(200);
    listener.close();
    await device.stats.until((stats) => stats.streamsOpen === 0);
    const next = new Listener(device);
    await next.until('200 OK');
    next.close();
  });

  it('on connections', async () => {
    await start({ auth: 'none', limits: { connections: 1, status: 503 } });
    const listener = new Listener(device);
    await listener.until('\r\n\r\n');
    expect((await get(device, SERIAL)).status).toBe(503);
    expect(device.stats.refusedBusy).toBe(1);
    listener.close();
  });

  it('can reset new connections while a stream is open', async () => {
    await start({ auth: 'none', limits: { streams: 1, resetNewConnections: true } });
    const listener = new Listener(device);
    await listener.until('\r\n\r\n');
    await expect(get(device, SERIAL)).rejects.toThrow();
    listener.close();
  });

  it('can be busy for a number of attach requests', async () => {
    await start({ auth: 'none' });
    device.busy(1);
    expect((await get(device, ATTACH)).body).toContain('Exceeded');
    const listener = new Listener(device);
    await listener.until('200 OK');
    listener.close();
  });
});
