import type { NodeAPI } from 'node-red';
import { z } from 'zod';
import { field, readConfig, type EnvLookup } from '../kit/config';
import { DeviceHttp } from '../kit/digest';
import { coded } from '../kit/errors';
import { createAgent } from '../kit/http';
import { loginOf, typedCredentials, type Login } from '../kit/login';
import { loginGate } from '../kit/login-gate';
import { defineNode } from '../kit/node';
import { tlsSettings } from '../kit/tls';
import { CHARSETS } from './charset';
import { CgiStream, type CgiDevice } from './cgi-stream';
import { deviceAddress, type DeviceAddress } from './device-address';
import { readIdentity } from './identity';

const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 15_000;

const config = z.object({
  name: field.text(''),
  host: field.text(),
  https: field.flag(false),
  tlsVerify: field.flag(true),
  tlsCaFile: field.text(''),
  tlsLegacy: field.flag(false),
  userEnv: field.text(''),
  passwordEnv: field.text(''),
  allowBasic: field.flag(false),
  heartbeat: field.number({ min: 1, max: 60, fallback: 5, integer: true }),
  backoffBase: field.number({ min: 1.1, max: 10, fallback: 1.5 }),
  backoffMax: field.number({ min: 1, max: 3600, fallback: 60 }),
  charset: field.choice(CHARSETS, 'auto'),
  serial: field.text(''),
});
type Config = z.infer<typeof config>;

export = defineNode({
  type: 'cgi-device',
  config,
  credentials: { user: 'text', password: 'password' },
  start(kit) {
    const settings = kit.config;
    const address = deviceAddress(settings.host, settings.https);
    const login = loginOf(kit.credentials, settings, 'CAM_PASS', kit.env);
    const agent = createAgent({
      tls: tlsSettings(settings),
      // The stream alone: a second socket would be a second login at devices that count connections.
      connections: 1,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      headersTimeoutMs: HEADERS_TIMEOUT_MS,
      bodyTimeoutMs: 0,
    });
    const stream = new CgiStream({
      device: {
        id: settings.name || address.label,
        ...(settings.name ? { name: settings.name } : {}),
        ...(settings.serial ? { serial: settings.serial } : {}),
        address: address.label,
      },
      address: address.label,
      heartbeat: settings.heartbeat,
      backoff: { base: settings.backoffBase, max: settings.backoffMax },
      charset: settings.charset,
      gate: loginGate(address.origin, login.user, login.password),
      clock: kit.clock,
      random: kit.random,
      // A client of its own for each attempt: a nonce kept from the last one is, to many devices, one more wrong login.
      request: (path, signal) => deviceHttp(address, login, settings, agent).request(path, { signal, headers: { accept: 'multipart/x-mixed-replace, text/plain' } }),
      report: {
        down: (error) => kit.down(error),
        blocked: (error) => kit.warn(error),
        up: () => kit.up(`${address.label}: events are coming in again`),
        damaged: (error) => kit.warnRarely(error),
      },
    });
    return {
      provides: { stream, address: address.label } satisfies CgiDevice,
      async close() {
        await stream.close();
        await agent.destroy();
      },
    };
  },
  register: registerTest,
});

const deviceHttp = (address: DeviceAddress, login: Login, { allowBasic }: Config, dispatcher: ReturnType<typeof createAgent>): DeviceHttp =>
  new DeviceHttp({ origin: address.origin, login: { ...login, allowBasic }, dispatcher });

/** The dialog's test: one login, with what is typed there or stored, that reads who the device is. */
function registerTest(RED: NodeAPI): void {
  RED.httpAdmin.post('/camera-events/cgi-device/test', RED.auth.needsPermission('cgi-device.write'), (request, response) => {
    const form = (request.body ?? {}) as Record<string, unknown>;
    testDevice(RED, form).then(
      (identity) => response.json(identity),
      (error: unknown) => {
        const { code, message, field: at } = coded(error);
        response.status(422).json({ code, text: message, field: at });
      },
    );
  });
}

async function testDevice(RED: NodeAPI, form: Record<string, unknown>): Promise<object> {
  const env: EnvLookup = (name) => process.env[name];
  const settings = readConfig(config, form, env);
  const address = deviceAddress(settings.host, settings.https);
  const login = loginOf(typedCredentials(RED, ['user', 'password'], form, env), settings, 'CAM_PASS', env);
  const agent = createAgent({
    tls: tlsSettings(settings),
    connections: 1,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    headersTimeoutMs: HEADERS_TIMEOUT_MS,
    bodyTimeoutMs: HEADERS_TIMEOUT_MS,
  });
  try {
    return await readIdentity(deviceHttp(address, login, settings, agent), loginGate(address.origin, login.user, login.password));
  } finally {
    await agent.destroy();
  }
}
