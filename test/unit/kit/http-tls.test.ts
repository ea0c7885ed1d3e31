import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type TlsOptions } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { selfSignedPair } from '../../devices/self-signed';
import { tlsOptions, type TlsSettings } from '../../../nodes/kit/tls';
import { clientFor } from './support/login-server';

const pair = selfSignedPair();

async function tlsServer(options: TlsOptions = {}): Promise<string> {
  const server = createServer({ ...pair, ...options }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'ca.pem');
  writeFileSync(path, text);
  return path;
}

const statusWith = async (origin: string, tls: TlsSettings) => (await clientFor(origin, {}, { tls }).request('/')).status;
const coded = (code: string, text: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as string }) as Error;

describe('a certificate', () => {
  test('that nobody known signed is refused by default', async () => {
    const origin = await tlsServer();
    await expect(statusWith(origin, { mode: 'verify' })).rejects.toThrow(coded('TLS_FAILED', 'not trusted'));
  });

  test('is accepted with its CA file, and with that only', async () => {
    const origin = await tlsServer();
    expect(await statusWith(origin, { mode: 'ca', caFile: file(`# ours\n${pair.cert}`) })).toBe(200);
    const other = file(selfSignedPair().cert);
    await expect(statusWith(origin, { mode: 'ca', caFile: other })).rejects.toThrow(coded('TLS_FAILED', 'not trusted'));
  });

  test('is not looked at if the user says so', async () => {
    expect(await statusWith(await tlsServer(), { mode: 'insecure' })).toBe(200);
  });
});

describe('a device that knows TLS 1.0 only', () => {
  const old: TlsOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' };

  test('is reached in legacy mode', async () => {
    const origin = await tlsServer(old);
    expect(await statusWith(origin, { mode: 'legacy' })).toBe(200);
  });

  test('is refused otherwise, with the advice to choose that mode', async () => {
    const origin = await tlsServer(old);
    await expect(statusWith(origin, { mode: 'insecure' })).rejects.toThrow(coded('TLS_FAILED', 'legacy'));
  });
});

test.each([
  ['without a path', undefined, 'No CA file'],
  ['that is absent', '/no/such/ca.pem', 'ENOENT'],
  ['that is a folder', tmpdir(), 'EISDIR'],
])('a CA file %s is TLS_CA_UNREADABLE', (_name, caFile, text) => {
  expect(() => tlsOptions({ mode: 'ca', caFile })).toThrow(coded('TLS_CA_UNREADABLE', text));
});

test('a CA file without a certificate, or with a damaged one, names the field', () => {
  const read = (text: string) => () => tlsOptions({ mode: 'ca', caFile: file(text) });
  expect(read(pair.key)).toThrow(expect.objectContaining({ code: 'TLS_CA_UNREADABLE', field: 'tlsCaFile' }) as Error);
  expect(read(pair.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'))).toThrow(coded('TLS_CA_UNREADABLE', 'damaged'));
});
