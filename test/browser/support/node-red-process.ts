/**
 * A real Node-RED as a child process: free port, throw-away user directory, this package installed there as a module, so that
 * icons, texts and examples are found as they are after `npm install`. Needs `dist/` and `examples/`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
export const PACKAGE = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string }).name;

export interface NodeRed {
  /** Of the editor, with a slash at the end. */
  url: string;
  userDir: string;
  /** What it has printed so far. */
  output(): string;
  /** Deploys a flow; `credentials` by node id. */
  deploy(flow: readonly object[], credentials?: Record<string, object>): Promise<void>;
  stop(): Promise<void>;
}

export async function startNodeRed(env: NodeJS.ProcessEnv = {}): Promise<NodeRed> {
  if (!existsSync(join(root, 'dist'))) throw new Error('there is no dist/: run `npm run build` first');
  const userDir = mkdtempSync(join(tmpdir(), 'camera-events-browser-'));
  install(userDir);
  const port = await freePort();
  writeFileSync(join(userDir, 'settings.js'), `module.exports = ${JSON.stringify(settings(port))};\n`);

  const child = spawn(process.execPath, [join(root, 'node_modules/node-red/red.js'), '-u', userDir, '-s', join(userDir, 'settings.js')], {
    cwd: userDir,
    env: { ...process.env, NODE_RED_HOME: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const started = new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes('Started flows')) resolve();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`Node-RED ended with ${String(code)}:\n${output}`)));
  });
  const url = `http://127.0.0.1:${port}/`;
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(userDir, { recursive: true, force: true });
  };
  try {
    await started;
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    userDir,
    output: () => output,
    async deploy(flow, credentials = {}) {
      const flows = flow.map((node) => {
        const { id } = node as { id: string };
        return id in credentials ? { ...node, credentials: credentials[id] } : node;
      });
      const answer = await fetch(`${url}flows`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'node-red-api-version': 'v2', 'node-red-deployment-type': 'full' },
        body: JSON.stringify({ flows }),
      });
      if (!answer.ok) throw new Error(`deploy: HTTP ${answer.status} ${await answer.text()}`);
    },
    stop,
  };
}

function install(userDir: string): void {
  const home = join(userDir, 'node_modules', PACKAGE);
  mkdirSync(home, { recursive: true });
  for (const part of ['package.json', 'dist', 'examples']) cpSync(join(root, part), join(home, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  writeFileSync(join(userDir, 'package.json'), JSON.stringify({ name: 'user-directory', dependencies: { [PACKAGE]: '*' } }));
}

const settings = (port: number): object => ({
  uiHost: '127.0.0.1',
  uiPort: port,
  flowFile: 'flows.json',
  credentialSecret: 'for tests only',
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { autoInstall: false, palette: { allowInstall: false }, modules: { allowInstall: false } },
  editorTheme: { tours: false, codeEditor: { lib: 'ace' } },
  logging: { console: { level: 'info', metrics: false, audit: false } },
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const forced = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await gone;
  clearTimeout(forced);
}
