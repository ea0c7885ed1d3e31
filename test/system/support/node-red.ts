/** A Node-RED process with the pack installed, and its admin API. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import { request, WebSocket } from 'undici';
import type { FlowNode } from './flows';
import type { Target } from './target';
import { until } from './until';

export interface StartOptions {
  /** Left out: a new one, with the pack in it. */
  userDir?: string;
  /** Beside PATH and a few that every process needs; nothing of the test's own environment comes through. */
  env?: Record<string, string>;
  /** The flow file that is there at the start; left out: none. */
  flow?: readonly FlowNode[];
}

export interface Status {
  fill?: string;
  shape?: string;
  text?: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Answer {
  status: number;
  text: string;
  json(): unknown;
}

/** For one test: ends with it, and shows its log where the test failed. */
export async function nodeRed(target: Target, options: StartOptions = {}): Promise<NodeRed> {
  const red = await startNodeRed(target, options);
  onTestFailed(() => console.log(`--- the end of Node-RED's log\n${red.log().slice(-4000)}\n---`));
  onTestFinished(() => red.dispose());
  return red;
}

/** Resolves when flows have been started. The caller calls `dispose`. */
export async function startNodeRed(target: Target, options: StartOptions = {}): Promise<NodeRed> {
  const userDir = options.userDir ?? (await newUserDir(target));
  if (options.flow) await writeFile(join(userDir, 'flows.json'), JSON.stringify(options.flow));
  const port = await freePort();
  const settings = join(userDir, 'settings.js');
  await writeFile(settings, settingsFile(userDir, port));
  const child = spawn(target.node, [target.red, '--userDir', userDir, '--settings', settings], {
    cwd: userDir,
    env: { ...basics(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const red = new NodeRed(child, userDir, `http://127.0.0.1:${port}`);
  try {
    await red.started();
  } catch (error) {
    await red.dispose();
    throw error;
  }
  return red;
}

/** A user directory of its own for a test; only the installed modules are shared. */
export async function newUserDir(target: Target): Promise<string> {
  const userDir = await mkdtemp(join(tmpdir(), 'camera-events-user-'));
  await cp(join(target.installed, 'package.json'), join(userDir, 'package.json'));
  await symlink(join(target.installed, 'node_modules'), join(userDir, 'node_modules'), 'junction');
  return userDir;
}

export class NodeRed {
  readonly userDir: string;
  readonly adminUrl: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<Exit>;
  readonly #statuses = new Map<string, Status>();
  /** How many times each node has set one, for tests of retry storms. */
  readonly statusCounts = new Map<string, number>();
  #log = '';
  #comms: WebSocket | undefined;

  constructor(child: ChildProcess, userDir: string, adminUrl: string) {
    this.#child = child;
    this.userDir = userDir;
    this.adminUrl = adminUrl;
    const add = (data: Buffer): void => void (this.#log += data.toString());
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
    // `close`, not `exit`: by then all that it said has been read.
    this.#exit = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as Exit['signal'] }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything the process has said so far. */
  log(): string {
    return this.#log;
  }

  /** Log lines of the nodes of one type, without their time. */
  linesOf(type: string): string[] {
    return this.#log.split('\n').flatMap((line) => (line.includes(`[${type}:`) ? [line.replace(/^.*? - /, '')] : []));
  }

  async started(): Promise<void> {
    await until('Node-RED to start its flows', () => {
      if (!this.alive) throw new Error(`Node-RED ended while it started:\n${this.#log}`);
      return /Started flows|Waiting for missing types/.test(this.#log);
    });
    await until('the admin API', () => this.get('/settings').then((answer) => answer.status === 200, () => false));
    await this.#listen();
  }

  /** Replaces all flows; `credentials` by node id. `nodes` restarts only what changed. */
  async deploy(
    flow: readonly FlowNode[],
    credentials: Record<string, Record<string, string>> = {},
    type: 'full' | 'flows' | 'nodes' = 'full',
  ): Promise<void> {
    const flows = flow.map((node) => (credentials[node.id] ? { ...node, credentials: credentials[node.id] } : node));
    const answer = await this.post('/flows', { flows }, { 'node-red-api-version': 'v2', 'node-red-deployment-type': type });
    if (answer.status !== 200) throw new Error(`deploy: ${answer.status} ${answer.text}`);
  }

  /** Presses an inject node. */
  async press(id: string): Promise<void> {
    const answer = await this.post(`/inject/${id}`, {});
    if (answer.status !== 200) throw new Error(`inject ${id}: ${answer.status} ${answer.text}`);
  }

  /** The last one that the node has set, as the editor gets it. */
  statusOf(id: string): Status | undefined {
    return this.#statuses.get(id);
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#request('GET', path, headers);
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#request('POST', path, { ...headers, 'content-type': 'application/json' }, JSON.stringify(body));
  }

  /** Log files of the flows: what is in `logs/` of the user directory, by name. */
  async logFiles(): Promise<string[]> {
    const names = await readdir(join(this.userDir, 'logs')).catch(() => []);
    return names.sort().map((name) => join(this.userDir, 'logs', name));
  }

  /** Asks the process to end, and waits for it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.#child.kill(signal);
    return this.#exit;
  }

  async kill9(): Promise<void> {
    await this.stop('SIGKILL');
  }

  async dispose(): Promise<void> {
    this.#comms?.close();
    if (this.alive) await this.kill9();
    await rm(this.userDir, { recursive: true, force: true, maxRetries: 3 });
  }

  async #request(method: 'GET' | 'POST', path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    // A connection of its own: tests count what the process has open.
    const answer = await request(this.adminUrl + path, { method, headers, reset: true, ...(body === undefined ? {} : { body }) });
    const text = await answer.body.text();
    return { status: answer.statusCode, text, json: () => JSON.parse(text) as unknown };
  }

  /** The editor's own channel: it sends the present statuses first, then every change. */
  async #listen(): Promise<void> {
    const comms = new WebSocket(`${this.adminUrl.replace('http', 'ws')}/comms`);
    this.#comms = comms;
    comms.addEventListener('message', (event) => {
      for (const { topic, data } of JSON.parse(String(event.data)) as { topic: string; data: Status }[]) {
        if (!topic.startsWith('status/')) continue;
        const id = topic.slice('status/'.length);
        this.#statuses.set(id, data);
        this.statusCounts.set(id, (this.statusCounts.get(id) ?? 0) + 1);
      }
    });
    // Without a listener the end of the process would be an uncaught error here.
    comms.addEventListener('error', () => undefined);
    await new Promise((resolve) => comms.addEventListener('open', resolve, { once: true }));
    comms.send(JSON.stringify({ subscribe: 'status/#' }));
  }
}

const basics = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'SystemRoot', 'TEMP', 'USERPROFILE'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

function settingsFile(userDir: string, port: number): string {
  const settings = {
    uiHost: '127.0.0.1',
    uiPort: port,
    userDir,
    flowFile: 'flows.json',
    credentialSecret: 'only for tests',
    lang: 'en-US',
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false },
    runtimeState: { enabled: true, ui: false },
    logging: { console: { level: 'info', metrics: false, audit: false } },
  };
  // Without its parent nobody would end it.
  return `process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));\nmodule.exports = ${JSON.stringify(settings)};\n`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
