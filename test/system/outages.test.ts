/** What goes wrong between a camera and flow 02, and how much is said about it. */
import { expect, inject, test } from 'vitest';
import type { DahuaDevice } from '../devices/dahua/dahua-device';
import { selfSignedPair } from '../devices/self-signed';
import { between, seededRandom } from '../devices/seeded-random';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { camera, cameraEnv, listening, numbered, PASSWORD } from './support/camera';
import { logLines, numbersIn, untilLine, untilLogged } from './support/event-lines';
import { flow, nodeOf } from './support/flows';
import { newUserDir, nodeRed, type NodeRed } from './support/node-red';
import { quietTime, until } from './support/until';

const [target] = inject('targets');
const listener = flow('02-cgi-listener');
const source = nodeOf(listener, 'cgi-events').id;
const retry = nodeOf(listener, 'inject').id;

/** Flow 02 running, with some events in the log. */
async function runningFlow(device: DahuaDevice, env: Record<string, string> = {}): Promise<NodeRed> {
  const red = await nodeRed(target!, { env: cameraEnv(device, { HEARTBEAT: '1', ...env }) });
  await red.deploy(listener);
  await listening(device);
  for (const event of numbered(5)) device.emit(event);
  await untilLogged(red, 5);
  return red;
}

/** The device works again: events arrive, and the log of Node-RED says so, once. */
async function expectOneWayDownAndUp(red: NodeRed, device: DahuaDevice, reason: RegExp): Promise<void> {
  await until('the device node to say that events are back', () => red.linesOf('cgi-device').length >= 2);
  await listening(device);
  for (const event of numbered(5, 5)) device.emit(event);
  await untilLogged(red, 10);
  expect(await numbersIn(red)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(red.linesOf('cgi-device')).toEqual([expect.stringMatching(reason), expect.stringContaining('coming in again')]);
  expect([...red.linesOf('cgi-events'), ...red.linesOf('event-log')]).toEqual([]);
  await until('the green status', () => red.statusOf(source)?.fill === 'green');
}

test.each(['rst', 'fin'] as const)('a reboot of the device (%s)', async (how) => {
  const device = await camera({ heartbeatUnitMs: 100 });
  const red = await runningFlow(device);
  await device.powerOff(how);
  await until('the red status', () => red.statusOf(source)?.fill === 'red');
  await quietTime(2500); // several refused attempts, of which nothing is said
  await device.powerOn();
  await expectOneWayDownAndUp(red, device, /CONNECTION_LOST|CGI_ENDED/);
});

test('a device that falls silent with the connection open', async () => {
  const device = await camera({ heartbeatUnitMs: 100 });
  const red = await runningFlow(device);
  device.goSilent('streams');
  await expectOneWayDownAndUp(red, device, /CGI_SILENT/);
});

test('a device that answers 200 and ends the stream at once, again and again', async () => {
  const device = await camera({ heartbeatUnitMs: 100 });
  const red = await runningFlow(device);
  device.mode = 'endAtOnce';
  device.endStreams();
  await device.stats.until((stats) => stats.streamsOpened > 4);
  device.mode = 'normal';
  await expectOneWayDownAndUp(red, device, /CGI_ENDED/);
});

test('a device at its connection limit is left to itself until someone presses the button', async () => {
  const device = await camera({ heartbeatUnitMs: 100 });
  const red = await runningFlow(device);
  device.busy();
  device.endStreams();
  await untilLine(red, /AUTH_BUSY/);
  await quietTime();
  expect(device.stats.refusedBusy).toBe(1);
  device.busy(0);
  await red.press(retry);
  await expectOneWayDownAndUp(red, device, /CGI_ENDED/);
});

test('a password changed at the device, and changed back', async () => {
  const device = await camera({ heartbeatUnitMs: 100 });
  const red = await runningFlow(device);
  device.setPassword('another-1');
  device.endStreams();
  await untilLine(red, /AUTH_/);
  await quietTime();
  expect(device.stats.badLogins).toHaveLength(1);
  device.setPassword(PASSWORD);
  await red.press(retry);
  await expectOneWayDownAndUp(red, device, /CGI_ENDED/);
});

test('a wrong password is tried three times, whatever is deployed, and once more round for each press of the button', async () => {
  const device = await camera({ lockout: { attempts: 30, ms: 60_000 } });
  const red = await nodeRed(target!, { env: cameraEnv(device, { CAM_PASS: 'wrong-1' }) });
  await red.deploy(listener);
  const blocked = (): Promise<boolean> => until('the block', () => red.statusOf(source)?.fill === 'red' && red.statusOf(source)?.shape === 'dot');
  await blocked();
  expect(device.stats.badLogins).toHaveLength(3);

  for (let turn = 1; turn <= 3; turn++) await red.deploy(listener, {}, 'full');
  for (let turn = 1; turn <= 3; turn++) {
    const touched = listener.map((node) => (node.type === 'cgi-device' ? { ...node, name: `camera ${turn}` } : node));
    await red.deploy(touched, {}, 'nodes');
  }
  await blocked();
  await quietTime();
  expect(device.stats.badLogins).toHaveLength(3);

  await red.press(retry);
  await until('another round', () => device.stats.badLogins.length >= 6);
  await blocked();
  await quietTime();
  expect(device.stats.badLogins).toHaveLength(6);
  expect(red.log() + (await logLines(red)).join()).not.toContain('wrong-1');
});

test('20,000 malformed parts end nothing, and good events still come through', async () => {
  const device = await camera();
  const red = await runningFlow(device, { HEARTBEAT: '60' });
  const random = seededRandom(20_000);
  const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => between(random, 0, 255)));
  const shapes: (() => Buffer)[] = [
    () => Buffer.concat([Buffer.from('--myboundary\r\nContent-Type: text/plain\r\nContent-Length:20\r\n\r\n'), bytes(between(random, 0, 60)), Buffer.from('\r\n')]),
    () => Buffer.from('--myboundary\r\nContent-Length: -5\r\n\r\nCode=;action=;index=\r\n'),
    () => Buffer.from('--myboundary\r\nContent-Length: 99999999999999999999\r\n\r\nCode=X;action=Start;index=0;data={"a":[[[\r\n'),
    () => Buffer.from('Code=VideoMotion\r\nCode=\r\nCode=a;b;c;action\r\n\r\n'),
    () => Buffer.from(`--myboundary\r\n\r\nCode=Y;action=Pulse;index=${'9'.repeat(400)};data={"__proto__":{"x":1}}\r\n\r\n`),
    () => Buffer.from('HTTP/1.1 401 Unauthorized\r\n\r\n--myboundary--\r\n'),
    () => Buffer.concat([Buffer.from('--'), bytes(between(random, 1, 30)), Buffer.from('\r\n\r\n')]),
  ];
  for (let part = 0; part < 20_000; part++) {
    device.emitRaw(shapes[between(random, 0, shapes.length - 1)]!());
    // Below the limit at which the device drops a client that does not read.
    if (part % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until('an event after the garbage', async () => {
    device.emit({ code: 'StillHere', action: 'Pulse', index: 0, data: { N: 1 } });
    return (await logLines(red)).some((line) => line.includes('StillHere'));
  });
  expect(red.alive).toBe(true);
  expect(red.log()).not.toMatch(/unhandled|uncaught/i);
  // Said the 1st, 10th, 100th … time.
  expect(red.linesOf('cgi-device').length).toBeLessThan(20);
  expect(await red.stop()).toEqual({ code: 0, signal: null });
});

test('https: taken as it is by default, refused where it is to be checked, trusted with its authority', async () => {
  const tls = selfSignedPair();
  const device = await camera({ tls });
  const secure = cameraEnv(device, { USE_HTTPS: 'true' });

  const lax = await nodeRed(target!, { env: secure });
  await lax.deploy(listener);
  await listening(device);
  await lax.stop();

  const opened = device.stats.streamsOpened;
  const strict = await nodeRed(target!, { env: { ...secure, VERIFY_TLS: 'true' } });
  await strict.deploy(listener);
  await untilLine(strict, /TLS_FAILED/);
  expect(device.stats.streamsOpened).toBe(opened);
  await strict.stop();

  const userDir = await newUserDir(target!);
  const authority = join(userDir, 'ca.pem');
  await writeFile(authority, tls.cert);
  const trusting = await nodeRed(target!, { userDir, env: { ...secure, VERIFY_TLS: 'true', TLS_CA_BUNDLE: authority } });
  await trusting.deploy(listener);
  await listening(device);
});
