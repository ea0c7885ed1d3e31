/**
 * 200 simulated cameras on one Node-RED: memory above the idle pack, CPU per 1,000 events, and the time from the bytes written
 * by the camera to the message received by the next node. The cameras run here, Node-RED in a process of its own.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startDahuaDevice, type DahuaDevice } from '../devices/dahua/dahua-device';

export const name = 'pipeline';

interface Row {
  case: string;
  figure: string;
  ratio?: number;
}

const CAMERAS = 200;
const EVENTS_PER_SECOND = 2000;
const SECONDS = 10;
const MIB = 1024 * 1024;
const root = resolve(__dirname, '../..');

interface Usage {
  rss: number;
  cpu: NodeJS.CpuUsage;
}

class Red {
  constructor(
    private readonly child: ChildProcess,
    private readonly userDir: string,
  ) {}

  static async start(flows: object[], credentials: Record<string, object> = {}): Promise<Red> {
    const userDir = await mkdtemp(join(tmpdir(), 'camera-events-bench-'));
    await mkdir(join(userDir, 'node_modules', '@aforo'), { recursive: true });
    await symlink(root, join(userDir, 'node_modules', '@aforo', 'node-red-camera-events'), 'dir');
    await writeFile(join(userDir, 'flows.json'), JSON.stringify(flows));
    await writeFile(join(userDir, 'flows_cred.json'), JSON.stringify(credentials));
    const child = fork(join(__dirname, 'red', 'child.cjs'), [userDir], {
      cwd: userDir,
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const red = new Red(child, userDir);
    await once(child, 'message');
    return red;
  }

  async ask<T>(question: string): Promise<T> {
    this.child.send(question);
    return (await once(this.child, 'message'))[0] as T;
  }

  async stop(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.disconnect();
    await exit;
    await rm(this.userDir, { recursive: true, force: true });
  }
}

const tab = { id: 'tab', type: 'tab', label: 'bench' };

async function idleRss(): Promise<number> {
  const red = await Red.start([tab, { id: 'sink', type: 'bench-sink', z: 'tab', wires: [] }]);
  await pause(3000);
  const { rss } = await red.ask<Usage>('usage');
  await red.stop();
  return rss;
}

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

function cameraFlow(cameras: readonly DahuaDevice[]): { flows: object[]; credentials: Record<string, object> } {
  const flows: object[] = [tab, { id: 'sink', type: 'bench-sink', z: 'tab', wires: [] }];
  const credentials: Record<string, object> = {};
  cameras.forEach((camera, i) => {
    flows.push({ id: `d${i}`, type: 'cgi-device', host: `127.0.0.1:${camera.port}`, heartbeat: 5 });
    flows.push({ id: `n${i}`, type: 'cgi-events', z: 'tab', device: `d${i}`, codes: 'All', x: 1, y: 1, wires: [['sink'], []] });
    credentials[`d${i}`] = { user: 'admin', password: 'admin123' };
  });
  return { flows, credentials };
}

/** About 1 KB of what line crossings carry. */
const payload = () => ({
  Class: 'Normal',
  DetectLine: Array.from({ length: 20 }, (_, i) => [i * 100, 8191 - i]),
  EventID: Math.trunc(Math.random() * 1e6),
  Name: 'Line 1',
  Object: { Action: 'Appear', BoundingBox: [100, 200, 300, 400], Center: [200, 300], Confidence: 80, ObjectID: 4, ObjectType: 'Human', Speed: 0 },
  SentAt: performance.timeOrigin + performance.now(),
});

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;

async function cameras200(): Promise<Row[]> {
  const idle = await idleRss();
  const cameras = await Promise.all(Array.from({ length: CAMERAS }, () => startDahuaDevice()));
  const { flows, credentials } = cameraFlow(cameras);
  const red = await Red.start(flows, credentials);
  await Promise.all(cameras.map((camera) => camera.stats.until((stats) => stats.streamsOpen === 1)));
  await pause(6000);
  const connected = await red.ask<Usage>('usage');

  await play(cameras, 2);
  await red.ask('latency');
  const before = await red.ask<Usage>('usage');
  const sent = await play(cameras, SECONDS);
  await pause(500);
  const after = await red.ask<Usage>('usage');
  const { latencies } = await red.ask<{ latencies: number[] }>('latency');
  await red.stop();
  await Promise.all(cameras.map((camera) => camera.close()));

  const sorted = latencies.sort((a, b) => a - b);
  const cpuMs = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1000;
  return [
    { case: `${CAMERAS} cameras connected, RSS above the idle pack (at most 60 MiB)`, figure: `${((connected.rss - idle) / MIB).toFixed(1)} MiB` },
    { case: `the same after ${SECONDS} s of ${EVENTS_PER_SECOND} events/s`, figure: `${((after.rss - idle) / MIB).toFixed(1)} MiB` },
    { case: 'CPU per 1,000 events', figure: `${((cpuMs / sent) * 1000).toFixed(0)} ms` },
    { case: 'events sent / received', figure: `${sent} / ${sorted.length}` },
    { case: 'byte written to message received, p50', figure: `${quantile(sorted, 0.5).toFixed(2)} ms` },
    { case: 'byte written to message received, p99 (at most 20 ms)', figure: `${quantile(sorted, 0.99).toFixed(2)} ms` },
  ];
}

/** Events spread evenly over time and at random over the cameras. */
async function play(cameras: readonly DahuaDevice[], seconds: number): Promise<number> {
  const start = performance.now();
  let sent = 0;
  while (sent < seconds * EVENTS_PER_SECOND) {
    const due = ((performance.now() - start) / 1000) * EVENTS_PER_SECOND;
    for (; sent < due; sent++) {
      cameras[Math.trunc(Math.random() * cameras.length)]?.emit({ code: 'CrossLineDetection', action: 'Start', index: 0, data: payload() });
    }
    await pause(1);
  }
  return sent;
}

async function hop(): Promise<Row[]> {
  const red = await Red.start([
    tab,
    { id: 'sink', type: 'bench-sink', z: 'tab', x: 1, y: 1, wires: [] },
    { id: 'pass', type: 'bench-pass', z: 'tab', x: 1, y: 1, wires: [['sink']] },
    { id: 'source', type: 'bench-source', z: 'tab', x: 1, y: 1, wires: [['pass']] },
    { id: 'device', type: 'bench-device' },
    { id: 'ours', type: 'cgi-events', z: 'tab', device: 'device', codes: 'All', x: 1, y: 1, wires: [['sink'], []] },
  ]);
  const { hop: rounds } = await red.ask<{ hop: { pass: number; ours: number }[] }>('hop');
  await red.stop();
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.trunc(values.length / 2)] ?? NaN;
  const perSecond = (value: number) => `${Math.round(value / 1000)} k msg/s`;
  return [
    { case: 'source → pass-through → sink', figure: perSecond(median(rounds.map(({ pass }) => pass))), ratio: 1 },
    { case: 'stream → cgi-events → sink', figure: perSecond(median(rounds.map(({ ours }) => ours))), ratio: median(rounds.map(({ pass, ours }) => ours / pass)) },
  ];
}

export async function run(): Promise<Row[]> {
  return [...(await hop()), ...(await cameras200())];
}
