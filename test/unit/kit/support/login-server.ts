import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { DigestVerifier, type DigestOptions, type LoginFailure } from '../../../devices/digest-server';
import { DeviceHttp, type DeviceHttpOptions, type DeviceLogin } from '../../../../nodes/kit/digest';
import { createAgent, type AgentSettings } from '../../../../nodes/kit/http';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** An HTTP server on a free loopback port that ends with the test. */
export async function httpServer(handler: Handler): Promise<{ origin: string; sockets: Set<Socket>; opened: () => number }> {
  const server = createServer(handler);
  const sockets = new Set<Socket>();
  let opened = 0;
  server.on('connection', (socket) => {
    opened += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, opened: () => opened };
}

export interface Seen {
  target: string;
  authorization: string | undefined;
  outcome: 'ok' | LoginFailure;
}

export interface LoginServerOptions extends Partial<DigestOptions> {
  /** Body of every 401; default empty. */
  refusal?: string;
  /** `Connection: close` with every answer. */
  close?: boolean;
  /** The socket is closed after every answer without a word of it. */
  hangUp?: boolean;
  /** What an accepted request gets; default 200 `welcome`. */
  welcome?: Handler;
}

/** A server behind the strict verifier. `seen` is what came in, in order; `badLogins` what a device would count. */
export async function loginServer(options: LoginServerOptions = {}) {
  const verifier = new DigestVerifier({ realm: 'Login to 5K0A', users: { admin: 'secret' }, ...options });
  const seen: Seen[] = [];
  let badLogins = 0;
  const { origin, opened } = await httpServer((request, response) => {
    const { method = '', url: target = '' } = request;
    const { authorization } = request.headers;
    const result = verifier.verify({ method, uri: target, authorization });
    seen.push({ target, authorization, outcome: result.ok ? 'ok' : result.why });
    request.resume();
    if (options.close) response.setHeader('Connection', 'close');
    if (options.hangUp) response.on('finish', () => response.socket?.end());
    if (result.ok) {
      if (options.welcome) options.welcome(request, response);
      else response.end('welcome');
      return;
    }
    if (result.countsAsBadLogin) badLogins += 1;
    response.writeHead(401, { 'WWW-Authenticate': result.headers }).end(options.refusal ?? '');
  });
  return { origin, opened, verifier, seen, outcomes: () => seen.map(({ outcome }) => outcome), badLogins: () => badLogins };
}

export const AGENT: AgentSettings = {
  tls: { mode: 'verify' },
  connections: 1,
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 20_000,
  bodyTimeoutMs: 0,
};

/** A client for `origin` with one socket, as `admin`, that ends with the test. */
export function clientFor(
  origin: string,
  login: Partial<DeviceLogin> = {},
  options: Partial<DeviceHttpOptions> & Partial<AgentSettings> = {},
): DeviceHttp {
  const dispatcher = createAgent({ ...AGENT, ...options });
  onTestFinished(() => dispatcher.destroy());
  return new DeviceHttp({
    origin,
    login: { user: 'admin', password: 'secret', allowBasic: false, ...login },
    dispatcher,
    ...options,
  });
}

/** The number in `nc=` of each request that carried one. */
export const ncOf = (seen: readonly Seen[]) =>
  seen.flatMap(({ authorization }) => /\bnc=([^, ]*)/.exec(authorization ?? '')?.[1] ?? []);
