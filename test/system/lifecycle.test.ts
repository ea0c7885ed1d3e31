/** Deploying, ending and being killed, again and again. */
import { appendFile, readdir, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { camera, cameraEnv, listening, numbered } from './support/camera';
import { eventLines, logLines, numbersIn, untilLogged } from './support/event-lines';
import { flow, nodeOf, withProperties } from './support/flows';
import { newUserDir, nodeRed, startNodeRed } from './support/node-red';
import { until } from './support/until';

const [target] = inject('targets');
const listener = flow('02-cgi-listener');

test.each(['full', 'nodes'] as const)('20 deploys (%s) leave one stream at the device and nothing open behind', async (type) => {
  const device = await camera({ heartbeatUnitMs: 20 });
  const red = await nodeRed(target!, { env: cameraEnv(device) });
  const deploy = async (turn: number): Promise<void> => {
    const opened = device.stats.streamsOpened;
    await red.deploy(withProperties(withProperties(listener, 'cgi-device', { serial: `S${turn}` }), 'event-log', { maxFiles: 5 + turn }), {}, type);
    await device.stats.until((stats) => stats.streamsOpened > opened && stats.streamsOpen === 1);
    device.emit({ code: 'VideoMotion', action: 'Pulse', index: 0, data: { N: turn } });
    await untilLogged(red, turn);
    expect(device.stats.connectionsOpen).toBe(1);
  };
  for (let turn = 1; turn <= 5; turn++) await deploy(turn);
  const before = await openFiles(red.pid);
  for (let turn = 6; turn <= 25; turn++) await deploy(turn);
  await until(`no more than ${before.length} open files`, async () => (await openFiles(red.pid)).length <= before.length);
  expect(await numbersIn(red)).toEqual(Array.from({ length: 25 }, (_, turn) => turn + 1));
  expect(red.log()).not.toMatch(/MaxListenersExceeded|\[error\]/);
});

/** What the process has open: sockets, log files; an empty list where the system does not tell. */
async function openFiles(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const numbers = await readdir(folder).catch(() => []);
  return Promise.all(numbers.map((number) => readlink(join(folder, number)).catch(() => '')));
}

test('two nodes at one device share its stream, and each gets its own events', async () => {
  const device = await camera();
  const red = await nodeRed(target!, { env: cameraEnv(device) });
  const first = nodeOf(listener, 'cgi-events');
  const log = nodeOf(listener, 'event-log').id;
  const two = [
    ...withProperties(listener, 'cgi-events', { codes: 'VideoMotion' }),
    { ...first, id: 'second', codes: 'AlarmLocal', wires: [[log], []] },
  ];
  await red.deploy(two);
  await listening(device);
  const sent = numbered(200);
  for (const event of sent) device.emit(event);
  const wanted = sent.filter(({ code }) => code === 'VideoMotion' || code === 'AlarmLocal');
  const lines = await untilLogged(red, wanted.length);
  expect(lines.map(({ payload }) => payload.Code)).toEqual(wanted.map(({ code }) => code));
  expect(device.stats.streamsOpened).toBe(1);
});

test('killed in the middle of writing, it goes on in the same file and spoils at most one line', async () => {
  const device = await camera();
  const userDir = await newUserDir(target!);
  const first = await startNodeRed(target!, { userDir, env: cameraEnv(device), flow: listener });
  await listening(device);
  for (const event of numbered(2000)) device.emit(event);
  await untilLogged(first, 1);
  await first.kill9();
  const [file] = await first.logFiles();
  const cut = await logLines(first);
  // What a power cut leaves.
  await appendFile(file!, '2025-08-21T15:33:42 INFO EVEN');

  await device.stats.until((stats) => stats.streamsOpen === 0);
  const second = await nodeRed(target!, { userDir, env: cameraEnv(device) });
  await listening(device);
  for (const event of numbered(10, 5000)) device.emit(event);
  const after = await until('the new events', async () => {
    const lines = await logLines(second);
    return lines.at(-1)?.includes('"N":5009') && lines;
  });
  expect(after.some((line) => line.endsWith('INFO EVEN')), 'the torn line stands alone').toBe(true);
  expect(after.slice(0, cut.length - 1)).toEqual(cut.slice(0, -1));
  expect(after.slice(-10).map((line) => /"N":(\d+)/.exec(line)?.[1])).toEqual(Array.from({ length: 10 }, (_, n) => String(5000 + n)));
});

describe('log files', () => {
  test('rotate by size into five older files without losing or cutting a line', async () => {
    const device = await camera();
    const red = await nodeRed(target!, { env: cameraEnv(device) });
    await red.deploy(withProperties(listener, 'event-log', { maxMegabytes: 0.02 }));
    await listening(device);
    const count = 1200;
    for (const event of numbered(count)) device.emit(event);
    await until('the last event', async () => (await numbersIn(red)).at(-1) === count - 1);
    const files = await red.logFiles();
    expect(files.map((path) => path.replace(/^.*\.log/, ''))).toEqual(['', '.1', '.2', '.3', '.4', '.5']);
    for (const path of files) expect((await stat(path)).size, path).toBeLessThanOrEqual(20_000);
    const numbers = (await eventLines(red)).map(({ payload }) => Number(payload.data?.N));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, at) => count - numbers.length + at));
    expect(numbers.length).toBeGreaterThan(300);
  });

  test('come back when their folder is deleted', async () => {
    const device = await camera();
    const red = await nodeRed(target!, { env: cameraEnv(device) });
    await red.deploy(listener);
    await listening(device);
    device.emit(numbered(1));
    await untilLogged(red, 1);
    await rm(join(red.userDir, 'logs'), { recursive: true });
    let next = 1;
    await until('a new file', async () => {
      device.emit(numbered(1, next++));
      return (await red.logFiles()).length === 1;
    });
    const sent = next;
    device.emit(numbered(10, sent));
    await until('all later events', async () => (await numbersIn(red)).at(-1) === sent + 9);
    expect(red.linesOf('event-log')).toEqual([]);
  });
});
