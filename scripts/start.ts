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
  const simulations = await Promise.all([simulateDahua()]);
  const userDir = await makeUserDir();
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
