import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const BINARY = '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';

/** Debian's Apache with mod_auth_digest is on this machine. */
export const hasApache = existsSync(BINARY) && existsSync(join(MODULES, 'mod_auth_digest.so'));

export interface ApacheOptions {
  realm: string;
  user: string;
  password: string;
  /** Directives of mod_auth_digest, e.g. `AuthDigestNcCheck On`. */
  directives?: string[];
}

/** An Apache on a free loopback port that serves `/index.html` behind Digest; it ends with the test. */
export async function startApache({ realm, user, password, directives = [] }: ApacheOptions): Promise<{ origin: string }> {
  const home = mkdtempSync(join(tmpdir(), 'apache-'));
  const port = await freePort();
  chmodSync(home, 0o755);
  mkdirSync(join(home, 'docs'));
  mkdirSync(join(home, 'run'));
  writeFileSync(join(home, 'docs', 'index.html'), 'welcome');
  const a1 = createHash('md5').update(`${user}:${realm}:${password}`).digest('hex');
  writeFileSync(join(home, 'htdigest'), `${user}:${realm}:${a1}\n`);
  const loaded = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_digest', 'dir'];
  const config = [
    ...loaded.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    // Started as root, Apache insists on another user; otherwise the two lines say nothing.
    ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
    `ServerName localhost`,
    `Listen 127.0.0.1:${port}`,
    `DefaultRuntimeDir ${home}/run`,
    `PidFile ${home}/run/pid`,
    `ErrorLog ${home}/error.log`,
    'StartServers 1',
    'ServerLimit 1',
    'ThreadsPerChild 8',
    'MaxRequestWorkers 8',
    'MinSpareThreads 1',
    'MaxSpareThreads 8',
    `DocumentRoot ${home}/docs`,
    `<Directory ${home}/docs>`,
    'AuthType Digest',
    `AuthName "${realm.replace(/["\\]/g, '\\$&')}"`,
    `AuthUserFile ${home}/htdigest`,
    'Require valid-user',
    ...directives,
    '</Directory>',
  ];
  writeFileSync(join(home, 'apache.conf'), `${config.join('\n')}\n`);

  const apache = spawn(BINARY, ['-DFOREGROUND', '-f', join(home, 'apache.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  apache.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const exited = new Promise<void>((resolve) => apache.on('exit', () => resolve()));
  onTestFinished(async () => {
    apache.kill('SIGTERM');
    await exited;
    rmSync(home, { recursive: true, force: true });
  });
  while (!(await accepts(port))) {
    if (apache.exitCode !== null) throw new Error(`Apache did not start: ${complaints}`);
  }
  return { origin: `http://127.0.0.1:${port}` };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** One attempt; a failed one takes 20 ms at least. */
async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => setTimeout(resolve, 20, false));
  });
}
