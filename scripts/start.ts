/**
 * `npm start`: Node-RED with this pack and all its flows on a throw-away user directory, and simulated devices for every flow
 * whose own device is not named in the environment. PORT and HOST move the editor; Ctrl-C ends everything.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startAvigilonServer } from '../test/devices/avigilon/avigilon-server';
import { liveScene } from '../test/devices/avigilon/live-scene';
import { demoScene } from '../test/devices/dahua/demo-scene';
import { startDahuaDevice } from '../test/devices/dahua/dahua-device';

const root = resolve(__dirname, '..');
const host = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 1880);

/** A simulated device: what flows must be told of it, and how it ends. */
interface Simulation {
  env: Record<string, string>;
  says: string;
  stop(): Promise<void>;
}

async function simulateDahua(): Promise<Simulation> {
  if (process.env.CAM_IP) return { env: {}, says: `the camera at ${process.env.CAM_IP}`, stop: () => Promise.resolve() };
  const login = { CAM_USER: 'admin', CAM_PASS: 'simulated-1' };
  const device = await startDahuaDevice({ users: { [login.CAM_USER]: login.CAM_PASS }, channels: ['Entrada', 'Parqueadero'] });
  const endScene = demoScene(device, { channels: 2 });
  return {
    env: { ...login, CAM_IP: `${device.host}:${device.port}`, USE_HTTPS: 'false' },
    says: `a simulated Dahua camera at ${device.host}:${device.port} (set CAM_IP, CAM_USER, CAM_PASS for a real one)`,
    async stop() {
      endScene();
      await device.close();
    },
  };
}

async function simulateAvigilon(userDir: string): Promise<Simulation> {
  if (process.env.AVIGILON_URL) return { env: {}, says: `the Avigilon server at ${process.env.AVIGILON_URL}`, stop: () => Promise.resolve() };
  const server = await startAvigilonServer();
  const scene = liveScene(server);
  await writeFile(join(userDir, 'ids_camaras_permitidas.json'), JSON.stringify(server.site.cameras.map(({ id }) => id), null, 2));
  await writeFile(join(userDir, 'eventos_programados.json'), JSON.stringify(allDay(), null, 2));
  return {
    env: { AVIGILON_URL: server.url, AVIGILON_USER: 'nodered', AVIGILON_PASS: 'simulated-1', AVIGILON_NONCE: 'SimNonce01', AVIGILON_KEY: 'simulated-key' },
    says: `a simulated Avigilon server at ${server.url} (set AVIGILON_URL, AVIGILON_USER … for a real one)`,
    async stop() {
      scene.stop();
      await server.close();
    },
  };
}

/** Yesterday's, today's and tomorrow's event, wherever this machine is: one of them runs. */
function allDay(): Record<string, object> {
  const day = (offset: number): string => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
  return Object.fromEntries([-1, 0, 1].map((offset) => [day(offset), { nombre: `Partido ${day(offset)}`, hora_inicio: '00:00', hora_fin: '00:00' }]));
}

/** A user directory with the pack in it, all flows on tabs of one file, and settings for a machine without internet. */
async function makeUserDir(): Promise<string> {
  const userDir = await mkdtemp(join(tmpdir(), 'camera-events-'));
  await mkdir(join(userDir, 'node_modules', '@aforo'), { recursive: true });
  await symlink(root, join(userDir, 'node_modules', '@aforo', 'node-red-camera-events'), 'dir');
  const flowFiles = (await readdir(join(root, 'flows'))).filter((name) => name.endsWith('.json')).sort();
  const flows = await Promise.all(
    flowFiles.map(async (name) => JSON.parse(await readFile(join(root, 'flows', name), 'utf8')) as object[]),
  );
  await writeFile(join(userDir, 'flows.json'), JSON.stringify(flows.flat(), null, 2));
  const settings = {
    uiHost: host,
    uiPort: port,
    flowFile: 'flows.json',
    userDir,
    credentialSecret: randomUUID(),
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false },
    logging: { console: { level: 'info', metrics: false, audit: false } },
  };
  await writeFile(
    join(userDir, 'settings.js'),
    // Without its parent nobody would end it.
    `process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));\nmodule.exports = ${JSON.stringify(settings, null, 2)};\n`,
  );
  return userDir;
}

function startNodeRed(userDir: string, env: Record<string, string>): ChildProcess {
  const red = createRequire(__filename).resolve('node-red/red.js');
  return spawn(process.execPath, [red, '--userDir', userDir, '--settings', join(userDir, 'settings.js')], {
    cwd: userDir,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** Resolves with the first log file of the demo that has a line in it, for the user to follow. */
async function firstLog(userDir: string, signal: AbortSignal): Promise<{ path: string; line: string } | undefined> {
  const folder = join(userDir, 'logs');
  while (!signal.aborted) {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const line = (await readFile(path, 'utf8')).split('\n').find((text) => text.includes('EVENTO'));
      if (line) return { path, line };
    }
    await new Promise((wake) => setTimeout(wake, 250));
  }
  return undefined;
}

async function main(): Promise<void> {
  const userDir = await makeUserDir();
  const simulations = await Promise.all([simulateAvigilon(userDir), simulateDahua()]);
  const child = startNodeRed(userDir, Object.assign({}, ...simulations.map(({ env }) => env)) as Record<string, string>);
  const ended = once(child, 'exit');
  const over = new AbortController();

  const end = (): void => {
    over.abort();
    if (child.exitCode === null) child.kill('SIGTERM');
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);

  console.log(`\n  editor   http://${host}:${port}/`);
  console.log(`  files    ${userDir}`);
  for (const { says } of simulations) console.log(`  device   ${says}`);
  console.log('  Ctrl-C ends everything\n');
  firstLog(userDir, over.signal).then(
    (found) => {
      if (found) console.log(`\n  events are being written to ${found.path}\n  ${found.line.slice(0, 160)}\n`);
    },
    () => undefined,
  );

  const [code] = (await ended) as [number | null];
  over.abort();
  await Promise.all(simulations.map((simulation) => simulation.stop()));
  await rm(userDir, { recursive: true, force: true });
  process.exitCode = code ?? 0;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
