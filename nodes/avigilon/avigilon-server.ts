import type { NodeAPI } from 'node-red';
import { z } from 'zod';
import { Backoff } from '../kit/backoff';
import { systemClock, type Clock, type Random } from '../kit/clock';
import { field, fillIn, readConfig, type EnvLookup } from '../kit/config';
import { CodedError, coded } from '../kit/errors';
import { createAgent } from '../kit/http';
import { loginGate } from '../kit/login-gate';
import { typedCredentials } from '../kit/login';
import { defineNode } from '../kit/node';
import { tlsSettings } from '../kit/tls';
import { probe } from './probe';
import { serverAddress } from './server-address';
import { readCameras, Site, type AvigilonServer } from './site';
import { TRANSPORTS, WepClient } from './wep-client';
import { WepHttp } from './wep-http';
import { WepSession, type WepLogin } from './wep-session';

const CONNECT_TIMEOUT_MS = 10_000;
/** Searches and lists of cameras are slow at large sites: clients wait from 30 to 300 s (facts/avigilon-een.md A3). */
const ANSWER_TIMEOUT_MS = 60_000;
const CONNECTIONS = 6;
const SLOW_RETRY = { base: 2, max: 300 };

const config = z.object({
  name: field.text(''),
  url: field.text(),
  integrationId: field.text(''),
  transport: field.choice(TRANSPORTS, 'auto'),
  tlsVerify: field.flag(true),
  tlsCaFile: field.text(''),
  tlsLegacy: field.flag(false),
  userEnv: field.text(''),
  passwordEnv: field.text(''),
  nonceEnv: field.text(''),
  keyEnv: field.text(''),
});
type Config = z.infer<typeof config>;

const SECRETS = ['user', 'password', 'nonce', 'key'] as const;
type Secrets = Record<(typeof SECRETS)[number], string>;

/** Those that run, for the dialogs of the nodes that use them. */
const running = new Map<string, AvigilonServer>();

export = defineNode({
  type: 'avigilon-server',
  config,
  credentials: { user: 'text', password: 'password', nonce: 'text', key: 'password' },
  start(kit) {
    const { agent, client } = connect(kit.config, loginOf(kit.credentials, kit.config, kit.env), kit.clock, kit.random);
    const site = new Site((path, query, signal) => client.get(path, query, signal), kit.clock, kit.signal);
    const provides: AvigilonServer = { client, site };
    running.set(kit.id, provides);
    return {
      provides,
      async close() {
        if (running.get(kit.id) === provides) running.delete(kit.id);
        await client.close();
        await agent.destroy();
      },
    };
  },
  register(RED) {
    registerTest(RED);
    registerCameras(RED);
  },
});

/** Logs in with the first request only. */
function connect(settings: Config, login: WepLogin, clock: Clock, random: Random) {
  const address = serverAddress(settings.url);
  const agent = createAgent({
    tls: tlsSettings(settings),
    connections: CONNECTIONS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    headersTimeoutMs: ANSWER_TIMEOUT_MS,
    bodyTimeoutMs: ANSWER_TIMEOUT_MS,
  });
  const http = new WepHttp(address, agent, clock);
  const gate = loginGate(address.origin, login.user, JSON.stringify([login.password, login.nonce, login.key]));
  const session = new WepSession({ http, login, gate, clock, backoff: new Backoff(SLOW_RETRY, random) });
  return { agent, http, client: new WepClient(http, session, settings.transport, clock) };
}

/** The credentials; each that is empty comes from the environment variable that the configuration names for it. */
function loginOf(stored: Secrets, settings: Config, env: EnvLookup): WepLogin {
  const login: WepLogin = { ...stored, integrationId: settings.integrationId };
  for (const name of SECRETS) {
    const variable = settings[`${name}Env`];
    if (!login[name] && variable) login[name] = fillIn(`\${${variable}:-}`, env, `${name}Env`);
    if (login[name]) continue;
    const unset = variable ? `, and the environment variable ${variable} is not set` : '';
    throw new CodedError('CREDENTIALS_MISSING', `${name} is empty${unset}`, { field: name });
  }
  return login;
}

/** The dialog's test: one login and logout, with what is typed there or stored. */
function registerTest(RED: NodeAPI): void {
  RED.httpAdmin.post('/camera-events/avigilon-server/test', RED.auth.needsPermission('avigilon-server.write'), (request, response) => {
    testServer(RED, (request.body ?? {}) as Record<string, unknown>).then(
      (found) => response.json(found),
      (error: unknown) => response.status(422).json(explained(error)),
    );
  });
}

async function testServer(RED: NodeAPI, form: Record<string, unknown>): Promise<object> {
  const env: EnvLookup = (name) => process.env[name];
  const settings = readConfig(config, form, env);
  const { agent, http, client } = connect(settings, loginOf(typedCredentials(RED, SECRETS, form, env), settings, env), systemClock, Math.random);
  try {
    return await probe(http, client, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
  } finally {
    await client.close();
    await agent.destroy();
  }
}

/** Cameras of a server that is deployed, for the dialog of `avigilon-events`. */
function registerCameras(RED: NodeAPI): void {
  RED.httpAdmin.get('/camera-events/avigilon-server/:id/cameras', RED.auth.needsPermission('avigilon-server.read'), (request, response) => {
    const server = running.get(String(request.params.id));
    if (!server) {
      response.status(404).json(explained(new CodedError('CONFIG_NODE_MISSING', 'the server is not deployed, or incomplete')));
      return;
    }
    readCameras((path, query, signal) => server.client.get(path, query, signal), AbortSignal.timeout(ANSWER_TIMEOUT_MS)).then(
      (cameras) => response.json({ cameras }),
      (error: unknown) => response.status(422).json(explained(error)),
    );
  });
}

/** Which field to look at, where the error itself does not say. */
const FIELDS: Partial<Record<string, string>> = {
  AVIGILON_PASSWORD: 'password',
  AVIGILON_NONCE_OR_KEY: 'nonce',
  AVIGILON_BAD_ANSWER: 'url',
  TLS_FAILED: 'tlsVerify',
  HOST_UNKNOWN: 'url',
  HOST_UNREACHABLE: 'url',
};

function explained(error: unknown): { code: string; text: string; field: string | undefined } {
  const { code, message, field: at } = error instanceof Error && error.name === 'TimeoutError' ? new CodedError('TIMEOUT', 'the server did not answer in time') : coded(error);
  return { code, text: message, field: at ?? FIELDS[code] };
}
