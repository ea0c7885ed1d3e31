import { createServer, type AddressInfo, type Socket } from 'node:net';
import { errors } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CodedError } from '../../../nodes/kit/errors';
import { createAgent, drain, toNetworkError } from '../../../nodes/kit/http';
import { AGENT, clientFor, httpServer } from './support/login-server';

const failure = (code: string) => Object.assign(new Error(code), { code });

describe('toNetworkError', () => {
  test.each([
    ['ENOTFOUND', 'HOST_UNKNOWN'],
    ['EAI_AGAIN', 'HOST_UNKNOWN'],
    ['ECONNREFUSED', 'HOST_UNREACHABLE'],
    ['EHOSTUNREACH', 'HOST_UNREACHABLE'],
    ['ENETUNREACH', 'HOST_UNREACHABLE'],
    ['UND_ERR_CONNECT_TIMEOUT', 'HOST_UNREACHABLE'],
    ['ETIMEDOUT', 'HOST_UNREACHABLE'],
    ['ECONNRESET', 'CONNECTION_LOST'],
    ['EPIPE', 'CONNECTION_LOST'],
    ['UND_ERR_SOCKET', 'CONNECTION_LOST'],
    ['UND_ERR_HEADERS_TIMEOUT', 'TIMEOUT'],
    ['UND_ERR_BODY_TIMEOUT', 'TIMEOUT'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TLS_FAILED'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'TLS_FAILED'],
    ['CERT_HAS_EXPIRED', 'TLS_FAILED'],
    ['CERT_UNTRUSTED', 'TLS_FAILED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TLS_FAILED'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TLS_FAILED'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TLS_FAILED'],
    ['EPROTO', 'TLS_FAILED'],
    ['HPE_INVALID_CONSTANT', 'HTTP_MALFORMED'],
  ])('%s is %s and names the device', (code, expected) => {
    const error = toNetworkError(failure(code), 'cam:80');
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(`cam:80.*${code}`) as string });
  });

  test('looks into the errors of several addresses and into causes', () => {
    const several = new AggregateError([failure('EHOSTUNREACH'), failure('ECONNREFUSED')], 'all failed');
    expect(toNetworkError(several, 'cam:80')).toMatchObject({ code: 'HOST_UNREACHABLE', cause: several });
    const wrapped = new TypeError('terminated', { cause: failure('UND_ERR_SOCKET') });
    expect(toNetworkError(wrapped, 'cam:80')).toMatchObject({ code: 'CONNECTION_LOST' });
  });

  test('leaves aborts, coded errors and unknown errors alone', () => {
    const circular = new Error('circular');
    circular.cause = circular;
    for (const error of [
      AbortSignal.abort().reason as Error,
      new DOMException('late', 'TimeoutError'),
      new errors.RequestAbortedError(),
      new CodedError('CGI_SILENT', 'silent'),
      failure('toString'),
      Object.assign(new Error('given up', { cause: failure('ECONNRESET') }), { name: 'AbortError' }),
      circular,
    ]) {
      expect(toNetworkError(error, 'cam:80')).toBe(error);
    }
    expect(toNetworkError('odd', 'cam:80')).toEqual(new Error('odd'));
  });
});

describe('a device that', () => {
  const coded = (code: string) => expect.objectContaining({ code }) as Error;
  /** Answers each connection with these bytes and ends it. */
  const rawServer = async (onSocket: (socket: Socket) => void) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => onSocket(socket));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void server.close());
    return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };

  test('is switched off', async () => {
    const { server, origin } = await rawServer(() => undefined);
    await new Promise((closed) => server.close(closed));
    await expect(clientFor(origin).request('/')).rejects.toThrow(coded('HOST_UNREACHABLE'));
  });

  test('has a name that nobody knows', async () => {
    await expect(clientFor('http://no-such-camera.invalid').request('/')).rejects.toThrow(coded('HOST_UNKNOWN'));
  });

  test('hangs up', async () => {
    const { origin } = await rawServer((socket) => socket.destroy());
    await expect(clientFor(origin).request('/')).rejects.toThrow(coded('CONNECTION_LOST'));
  });

  test('does not answer', async () => {
    const { origin } = await rawServer(() => undefined);
    await expect(clientFor(origin).request('/', { headersTimeoutMs: 1 })).rejects.toThrow(coded('TIMEOUT'));
  });

  test('speaks something else', async () => {
    const { origin } = await rawServer((socket) => socket.end('SSH-2.0-dropbear\r\n'));
    await expect(clientFor(origin).request('/')).rejects.toThrow(coded('HTTP_MALFORMED'));
  });

  test('speaks no TLS', async () => {
    const { origin } = await rawServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expect(clientFor(origin.replace('http:', 'https:')).request('/')).rejects.toThrow(coded('TLS_FAILED'));
  });
});

describe('drain', () => {
  const bodyOf = async (send: string | Buffer, complete = true) => {
    const { origin, sockets } = await httpServer((_request, response) => {
      response.write(send);
      if (complete) response.end();
    });
    const agent = createAgent(AGENT);
    onTestFinished(() => agent.destroy());
    return { body: (await agent.request({ origin, path: '/', method: 'GET' })).body, sockets };
  };

  test('gives the whole of a short body and leaves its socket open', async () => {
    const { body, sockets } = await bodyOf('niño');
    expect(await drain(body, 100)).toBe('niño');
    expect(sockets.size).toBe(1);
  });

  test('cuts a long body at the limit, also within a character, and destroys it', async () => {
    const { body } = await bodyOf('ñ'.repeat(100_000));
    expect(await drain(body, 7)).toBe('ñññ');
    expect(body.destroyed).toBe(true);
  });

  test('gives what had come of a body that does not end', async () => {
    const { body } = await bodyOf('the beginning', false);
    expect(await drain(body, 100, 200)).toBe('the beginning');
    expect(body.destroyed).toBe(true);
  });

  test('reads Latin-1 where it is no UTF-8', async () => {
    const { body } = await bodyOf(Buffer.from('niño', 'latin1'));
    expect(await drain(body, 100)).toBe('niño');
  });

  test('gives what had come of a body that breaks off', async () => {
    const { body, sockets } = await bodyOf('the beginning', false);
    const text = drain(body, 100);
    for (const socket of sockets) socket.destroy();
    expect('the beginning').toContain(await text);
  });
});
