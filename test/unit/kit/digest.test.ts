import { describe, expect, onTestFinished, test } from 'vitest';
import type { DigestAlgorithm } from '../../devices/digest-server';
import { createAgent } from '../../../nodes/kit/http';
import { AGENT, clientFor, httpServer, loginServer, ncOf } from './support/login-server';

const coded = (code: string, text = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as string }) as Error;

const ALGORITHMS: DigestAlgorithm[] = ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess', 'SHA-512-256', 'SHA-512-256-sess'];

describe('a login', () => {
  test.each(ALGORITHMS)('with %s costs one round trip more, once', async (algorithm) => {
    const server = await loginServer({ algorithms: [algorithm], announceAlgorithm: true, opaque: 'c0ffee', ncCheck: 'exact' });
    const client = clientFor(server.origin);
    for (let i = 0; i < 3; i += 1) {
      const answer = await client.request('/cgi-bin/x.cgi');
      expect(answer).toMatchObject({ status: 200, auth: { scheme: 'digest', refused: false }, refusalText: undefined });
      expect(await answer.body.text()).toBe('welcome');
    }
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'ok', 'ok']);
    expect(server.opened()).toBe(1);
  });

  test.each(ALGORITHMS.filter((name) => !name.endsWith('-sess')))('with %s works without qop', async (algorithm) => {
    const server = await loginServer({ algorithms: [algorithm], announceAlgorithm: true, qop: null });
    const client = clientFor(server.origin);
    expect((await client.request('/')).status).toBe(200);
    expect(server.seen.at(-1)?.authorization).not.toMatch(/\b(qop|nc|cnonce)=/);
  });

  test('counts nc in hex, in eight digits, from 1', async () => {
    const server = await loginServer({ ncCheck: 'exact' });
    const client = clientFor(server.origin);
    for (let i = 0; i < 17; i += 1) await (await client.request('/')).body.dump();
    expect(ncOf(server.seen).slice(8)).toEqual(
      ['00000009', '0000000a', '0000000b', '0000000c', '0000000d', '0000000e', '0000000f', '00000010', '00000011'],
    );
    expect(server.badLogins()).toBe(0);
  });

  test('begins nc again with a new nonce', async () => {
    const server = await loginServer({ ncCheck: 'exact' });
    const client = clientFor(server.origin);
    for (let i = 0; i < 3; i += 1) await (await client.request('/')).body.dump();
    server.verifier.forgetNonces();
    for (let i = 0; i < 2; i += 1) await (await client.request('/')).body.dump();
    expect(ncOf(server.seen)).toEqual(['00000001', '00000002', '00000003', '00000004', '00000001', '00000002']);
    expect(server.badLogins()).toBe(0);
  });

  test('is shared by requests that come together, each with an nc of its own', async () => {
    const server = await loginServer({ ncCheck: 'exact' });
    const client = clientFor(server.origin);
    const answers = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { status, body } = await client.request('/');
        await body.dump();
        return status;
      }),
    );
    expect(answers).toEqual([200, 200, 200, 200, 200, 200]);
    expect(server.outcomes().filter((outcome) => outcome === 'no-credentials')).toHaveLength(1);
    expect(ncOf(server.seen)).toEqual(['00000001', '00000002', '00000003', '00000004', '00000005', '00000006']);
  });

  test('over several sockets never repeats an nc', async () => {
    const server = await loginServer({ ncCheck: 'off' });
    const client = clientFor(server.origin, {}, { connections: 6 });
    await Promise.all(Array.from({ length: 12 }, async () => (await client.request('/')).body.dump()));
    expect(new Set(ncOf(server.seen)).size).toBe(12);
    expect(server.badLogins()).toBe(0);
  });

  test('over several sockets, where one overtook another, tries once more', async () => {
    const server = await loginServer({ ncCheck: 'exact' });
    const client = clientFor(server.origin, {}, { connections: 6 });
    const statuses = await Promise.all(Array.from({ length: 12 }, async () => {
      const { status, body } = await client.request('/');
      await body.dump();
      return status;
    }));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test.each([{ challengesInOneHeader: true }, { challengesInOneHeader: false }])(
    'picks the strongest of many challenges: %o',
    async (options) => {
      const server = await loginServer({
        algorithms: ['MD5', 'SHA-256'],
        offerBasic: 'first',
        basicRealm: 'Device, "CGI"',
        extraChallenges: ['Negotiate'],
        separator: ', ',
        ...options,
      });
      expect(await clientFor(server.origin).request('/')).toMatchObject({ status: 200, auth: { scheme: 'digest' } });
      expect(server.seen.at(-1)?.authorization).toContain('algorithm=SHA-256');
    },
  );

  test('signs the path as it goes on the wire', async () => {
    const server = await loginServer();
    const client = clientFor(server.origin);
    await (await client.request('/cgi-bin/eventManager.cgi?action=attach&codes=[All]&heartbeat=5')).body.dump();
    await (await client.request('/a b?n=niño&codes=%5BAll%5D&q="x"#fragment')).body.dump();
    await (await client.request('?x=1')).body.dump();
    expect(server.seen.slice(1)).toMatchObject([
      { outcome: 'ok', target: '/cgi-bin/eventManager.cgi?action=attach&codes=[All]&heartbeat=5' },
      { outcome: 'ok', target: '/a%20b?n=ni%C3%B1o&codes=%5BAll%5D&q=%22x%22' },
      { outcome: 'ok', target: '/?x=1' },
    ]);
  });

  test('signs the method as sent and sends a body again', async () => {
    const bodies: string[] = [];
    const server = await loginServer({
      welcome: (request, response) => {
        request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
        request.on('end', () => response.end());
      },
    });
    const client = clientFor(server.origin);
    for (const body of ['año', Buffer.from('año')]) {
      expect(await client.request('/', { method: 'PUT', body })).toMatchObject({ status: 200 });
    }
    expect(bodies).toEqual(['año', 'año']);
  });

  test('quotes user, realm, nonce and opaque', async () => {
    const user = String.raw`a"b\c, d`;
    const realm = String.raw`a "b", c:\d`;
    let count = 0;
    const makeNonce = () => String.raw`n "${++count}" \ x`;
    const server = await loginServer({ realm, users: { [user]: 'p:"w\\' }, opaque: String.raw`abc \"def`, makeNonce });
    expect(await clientFor(server.origin, { user, password: 'p:"w\\' }).request('/')).toMatchObject({ status: 200 });
  });

  test('sends a user beyond ASCII as UTF-8, and as username* where the server says it knows that', async () => {
    const users = { 'niño 李': 'contraseña' };
    const login = { user: 'niño 李', password: 'contraseña' };
    const plain = await loginServer({ users });
    expect(await clientFor(plain.origin, login).request('/')).toMatchObject({ status: 200 });
    const utf8 = await loginServer({ users, charsetUtf8: true, algorithms: ['SHA-256'] });
    expect(await clientFor(utf8.origin, login).request('/')).toMatchObject({ status: 200 });
    expect(utf8.seen.at(-1)?.authorization).toContain("username*=UTF-8''ni%C3%B1o%20%E6%9D%8E,");
  });

  test('keeps headers of the caller and leaves their object alone', async () => {
    const server = await loginServer({ welcome: (request, response) => response.end(request.headers['x-own']) });
    const headers = { 'X-Own': 'mine', authorization: 'Basic !' };
    const { body } = await clientFor(server.origin).request('/', { headers });
    expect(await body.text()).toBe('mine');
    expect(headers).toEqual({ 'X-Own': 'mine', authorization: 'Basic !' });
    expect(server.outcomes()).toEqual(['no-credentials', 'ok']);
  });

  test('follows nextnonce', async () => {
    const server = await loginServer({
      ncCheck: 'exact',
      nonceUse: 'once',
      welcome: (_request, response) => {
        const [header = ''] = server.verifier.challenges();
        const nextNonce = /nonce="([^"]*)"/.exec(header)?.[1] ?? '';
        response.setHeader('Authentication-Info', `qop=auth, nextnonce="${nextNonce}"`).end();
      },
    });
    const client = clientFor(server.origin);
    for (let i = 0; i < 3; i += 1) await (await client.request('/')).body.dump();
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'ok', 'ok']);
  });

  test('with a -sess algorithm keeps its nonce, whatever comes as nextnonce', async () => {
    const server = await loginServer({
      algorithms: ['MD5-sess'],
      ncCheck: 'exact',
      welcome: (_request, response) => response.setHeader('Authentication-Info', 'nextnonce="other"').end(),
    });
    const client = clientFor(server.origin);
    for (let i = 0; i < 3; i += 1) await (await client.request('/')).body.dump();
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'ok', 'ok']);
  });

  test('is not made where none is asked for, and requests do not wait for one another', async () => {
    let together = 0;
    let release: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (release = resolve));
    const { origin } = await httpServer((request, response) => {
      if (request.url === '/first') response.end();
      else {
        together += 1;
        if (together === 2) release();
        void both.then(() => response.end());
      }
    });
    const client = clientFor(origin, {}, { connections: 2 });
    expect(await client.request('/first')).toMatchObject({ status: 200, auth: { scheme: 'none', refused: false } });
    await Promise.all([client.request('/'), client.request('/')]);
    expect(together).toBe(2);
  });
});

describe('a nonce', () => {
  test('called stale is replaced once and not counted as a refusal', async () => {
    const server = await loginServer();
    const client = clientFor(server.origin);
    await (await client.request('/')).body.dump();
    server.verifier.forgetNonces();
    expect(await client.request('/')).toMatchObject({ status: 200, auth: { refused: false } });
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'stale-nonce', 'ok']);
  });

  test('always called stale ends the trying, still without a refusal', async () => {
    const server = await loginServer({ nonceLifetimeMs: -1 });
    expect(await clientFor(server.origin).request('/')).toMatchObject({ status: 401, auth: { scheme: 'digest', refused: false } });
    expect(server.outcomes()).toEqual(['no-credentials', 'stale-nonce', 'stale-nonce']);
  });

  test('once good and then always called stale is replaced once per request', async () => {
    let now = 0;
    let step = 0;
    const server = await loginServer({ nonceLifetimeMs: 5, clock: { now: () => (now += step) } });
    const client = clientFor(server.origin);
    await (await client.request('/')).body.dump();
    step = 10;
    expect(await client.request('/')).toMatchObject({ status: 401, auth: { refused: false } });
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'stale-nonce', 'stale-nonce']);
  });

  test('forgotten now and then, without a word, is still used unasked', async () => {
    const server = await loginServer({ showStale: 'never' });
    const client = clientFor(server.origin);
    for (let i = 0; i < 3; i += 1) {
      for (let j = 0; j < 2; j += 1) await (await client.request('/')).body.dump();
      server.verifier.forgetNonces();
    }
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'ok', 'stale-nonce', 'ok', 'ok', 'stale-nonce', 'ok', 'ok']);
  });

  test('good for one request, with Connection: close, costs a new login each and soon no refusal', async () => {
    const server = await loginServer({ nonceUse: 'once', showStale: 'never', close: true });
    const client = clientFor(server.origin);
    for (let i = 0; i < 5; i += 1) {
      const answer = await client.request('/');
      expect(answer).toMatchObject({ status: 200, auth: { refused: false } });
      await answer.body.dump();
    }
    expect(server.outcomes()).toEqual([
      'no-credentials', 'ok',
      'stale-nonce', 'ok',
      'stale-nonce', 'ok',
      'no-credentials', 'ok',
      'no-credentials', 'ok',
    ]);
  });

  test('that every challenge voids, as recorders do, does not make requests refuse one another', async () => {
    let count = 0;
    const server = await loginServer({
      showStale: 'never',
      makeNonce: () => {
        server.verifier.forgetNonces();
        return `nonce ${++count}`;
      },
    });
    const client = clientFor(server.origin, {}, { connections: 6 });
    for (let round = 0; round < 3; round += 1) {
      const statuses = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const { status, body } = await client.request('/');
          await body.dump();
          return status;
        }),
      );
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
      server.verifier.forgetNonces();
    }
  });

  test('offered a second time keeps its nc going', async () => {
    const server = await loginServer({ ncCheck: 'off', makeNonce: () => 'always the same' });
    const client = clientFor(server.origin);
    await (await client.request('/')).body.dump();
    server.verifier.setPassword('admin', 'changed');
    await client.request('/');
    expect(ncOf(server.seen)).toEqual(['00000001', '00000002', '00000003']);
  });
});

describe('a refusal', () => {
  test('of a wrong password costs one bad login per request and gives the text', async () => {
    const server = await loginServer({ refusal: 'Error\r\nInvalid Authority!' });
    const client = clientFor(server.origin, { password: 'wrong' });
    for (let i = 1; i <= 2; i += 1) {
      const answer = await client.request('/');
      expect(answer).toMatchObject({
        status: 401,
        auth: { scheme: 'digest', refused: true },
        refusalText: 'Error\r\nInvalid Authority!',
      });
      expect(server.badLogins()).toBe(i);
    }
    expect(server.outcomes()).toEqual(['no-credentials', 'wrong-response', 'no-credentials', 'wrong-response']);
  });

  test('of a wrong password costs one bad login for each of several requests that come together', async () => {
    const server = await loginServer();
    const client = clientFor(server.origin, { password: 'wrong' }, { connections: 3 });
    const answers = await Promise.all([client.request('/1'), client.request('/2'), client.request('/3')]);
    expect(answers.map(({ auth }) => auth.refused)).toEqual([true, true, true]);
    expect(server.badLogins()).toBe(3);
  });

  test('after the password was changed is found with a new nonce', async () => {
    const server = await loginServer();
    const client = clientFor(server.origin);
    await (await client.request('/')).body.dump();
    server.verifier.setPassword('admin', 'changed');
    expect(await client.request('/')).toMatchObject({ status: 401, auth: { refused: true } });
    expect(server.badLogins()).toBe(2);
  });

  test('after the password was changed costs requests under way together one more login, not one each', async () => {
    const server = await loginServer();
    const client = clientFor(server.origin);
    await (await client.request('/')).body.dump();
    server.verifier.setPassword('admin', 'changed');
    const answers = await Promise.all(['/1', '/2', '/3', '/4'].map((path) => client.request(path)));
    expect(answers.map(({ auth }) => auth.refused)).toEqual([true, true, true, true]);
    // Two, as the challenges of the others may have voided the nonce of the first.
    expect(server.badLogins()).toBe(4 + 2);
  });

  test.each([100_000, 1000])('page of %d bytes does not block the only socket', async (length) => {
    const server = await loginServer({ refusal: 'x'.repeat(length) });
    expect(await clientFor(server.origin).request('/')).toMatchObject({ status: 200 });
    const { refusalText } = await clientFor(server.origin, { password: 'wrong' }).request('/');
    expect(refusalText).toHaveLength(Math.min(length, 65_536));
  });

  test('page that never ends is cut off', async () => {
    const { origin } = await httpServer((request, response) => {
      if (request.headers.authorization) response.end();
      else response.writeHead(401, { 'WWW-Authenticate': 'Digest nonce=1', 'Content-Length': 99 }).write('wait');
    });
    expect(await clientFor(origin, {}, { refusalTimeoutMs: 1 }).request('/')).toMatchObject({ status: 200 });
  });

  test('without a challenge comes back as it is, with its text', async () => {
    const { origin } = await httpServer((_request, response) => response.writeHead(401).end('Error\r\nUser Locked!'));
    expect(await clientFor(origin).request('/')).toMatchObject({
      status: 401,
      auth: { scheme: 'none', refused: false },
      refusalText: 'Error\r\nUser Locked!',
    });
  });

  test('with 403 gives its text and is not tried again', async () => {
    const server = await loginServer({ welcome: (_request, response) => response.writeHead(403).end('ni\xf1o', 'latin1') });
    expect(await clientFor(server.origin).request('/')).toMatchObject({
      status: 403,
      auth: { scheme: 'digest', refused: false },
      refusalText: 'niño',
    });
    expect(server.seen).toHaveLength(2);
  });

  test('cannot be answered: auth-int only', async () => {
    const server = await loginServer({ qop: 'auth-int' });
    await expect(clientFor(server.origin).request('/')).rejects.toThrow(coded('AUTH_UNSUPPORTED', 'auth-int'));
    expect(server.badLogins()).toBe(0);
  });
});

describe('Basic', () => {
  test('is used if allowed and nothing else is offered, in UTF-8', async () => {
    const server = await loginServer({ offerBasic: 'only', users: { niño: 'contraseña€' }, charsetUtf8: true });
    const client = clientFor(server.origin, { user: 'niño', password: 'contraseña€', allowBasic: true });
    for (let i = 0; i < 2; i += 1) {
      const answer = await client.request('/');
      expect(answer).toMatchObject({ status: 200, auth: { scheme: 'basic' } });
      await answer.body.dump();
    }
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'ok']);
  });

  test('is not used if not allowed', async () => {
    const server = await loginServer({ offerBasic: 'only' });
    await expect(clientFor(server.origin).request('/')).rejects.toThrow(coded('AUTH_BASIC_NOT_ALLOWED', '127.0.0.1:'));
    expect(server.outcomes()).toEqual(['no-credentials']);
  });

  test('is not used beside Digest, nor after Digest was refused', async () => {
    const server = await loginServer({ offerBasic: 'first' });
    const client = clientFor(server.origin, { password: 'wrong', allowBasic: true });
    expect(await client.request('/')).toMatchObject({ status: 401, auth: { scheme: 'digest', refused: true } });
    expect(server.seen.every(({ authorization }) => !authorization?.startsWith('Basic'))).toBe(true);
  });

  test('is not used where the same address offered Digest before', async () => {
    let challenge = 'Digest realm="a",nonce="1",qop="auth"';
    const authorizations: (string | undefined)[] = [];
    const { origin } = await httpServer((request, response) => {
      authorizations.push(request.headers.authorization);
      response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
    });
    const client = clientFor(origin, { allowBasic: true });
    expect((await client.request('/')).auth.refused).toBe(true);
    challenge = 'Basic realm="a"';
    await expect(client.request('/')).rejects.toThrow(coded('AUTH_BASIC_NOT_ALLOWED', 'offered Digest'));
    expect(authorizations.filter((value) => value?.startsWith('Basic'))).toEqual([]);
  });

  test('refused is a refusal, each time with one bad login', async () => {
    const server = await loginServer({ offerBasic: 'only' });
    const client = clientFor(server.origin, { password: 'wrong', allowBasic: true });
    for (let i = 1; i <= 2; i += 1) {
      expect(await client.request('/')).toMatchObject({ status: 401, auth: { scheme: 'basic', refused: true } });
      expect(server.badLogins()).toBe(i);
    }
  });

  test('refused after the password was changed is not tried twice', async () => {
    const server = await loginServer({ offerBasic: 'only' });
    const client = clientFor(server.origin, { allowBasic: true });
    await (await client.request('/')).body.dump();
    server.verifier.setPassword('admin', 'changed');
    expect(await client.request('/')).toMatchObject({ status: 401, auth: { scheme: 'basic', refused: true } });
    expect(server.badLogins()).toBe(1);
  });

  test('cannot carry a user with a colon', async () => {
    const server = await loginServer({ offerBasic: 'only' });
    const client = clientFor(server.origin, { user: 'a:b', allowBasic: true });
    await expect(client.request('/')).rejects.toThrow(coded('CONFIG_INVALID', 'colon'));
  });
});

describe('a client', () => {
  test('refuses a user that would be a header of its own, and an address that is none', () => {
    expect(() => clientFor('http://127.0.0.1', { user: 'a\r\nX-Evil: 1' })).toThrow(coded('CONFIG_INVALID'));
    expect(() => clientFor('cam.local')).toThrow(coded('CONFIG_INVALID'));
    expect(() => clientFor('ftp://cam.local')).toThrow(coded('CONFIG_INVALID'));
  });

  test('names its device with the port', () => {
    expect(clientFor('http://cam.local').device).toBe('cam.local:80');
    expect(clientFor('https://[::1]').device).toBe('[::1]:443');
    expect(clientFor('http://cam.local:8080').device).toBe('cam.local:8080');
  });

  test('hands a body on while it comes', async () => {
    let send: (text: string) => void = () => undefined;
    let end: () => void = () => undefined;
    const server = await loginServer({
      welcome: (_request, response) => {
        send = (text) => response.write(text);
        end = () => response.end();
        send('one');
      },
    });
    const { body } = await clientFor(server.origin).request('/');
    const parts = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const next = async () => ((await parts.next()).value as Buffer | undefined)?.toString();
    expect(await next()).toBe('one');
    send('two');
    expect(await next()).toBe('two');
    end();
    expect(await next()).toBeUndefined();
  });

  test('shares the login with a second dispatcher while a stream holds the first', async () => {
    const server = await loginServer({
      welcome: (request, response) => (request.url === '/stream' ? response.write('open') : response.end('short')),
    });
    const client = clientFor(server.origin);
    const { body: stream } = await client.request('/stream');
    const dispatcher = createAgent({ ...AGENT, connections: 2 });
    onTestFinished(() => dispatcher.destroy());
    const { body } = await client.request('/call', { dispatcher });
    expect(await body.text()).toBe('short');
    expect(server.outcomes()).toEqual(['no-credentials', 'ok', 'ok']);
    stream.destroy();
    stream.on('error', () => undefined);
  });

  test('rejects with the reason of the signal: before, while waiting for the first login, and within a body', async () => {
    const { origin } = await httpServer((request, response) => {
      if (request.url === '/stream') response.write('x');
    });
    const client = clientFor(origin, {}, { connections: 3 });
    const reason = new Error('closing');
    await expect(client.request('/', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controllers = [new AbortController(), new AbortController()];
    const [first, second] = controllers.map(({ signal }) => client.request('/hang', { signal }));
    controllers[1]?.abort(reason);
    await expect(second).rejects.toBe(reason);
    controllers[0]?.abort(reason);
    await expect(first).rejects.toBe(reason);
    const stream = new AbortController();
    const { body } = await client.request('/stream', { signal: stream.signal });
    stream.abort(reason);
    await expect(body.text()).rejects.toBe(reason);
  });

  test('gets through to a device that closes its sockets unannounced', async () => {
    const server = await loginServer({ hangUp: true, ncCheck: 'monotonic' });
    const client = clientFor(server.origin);
    for (let i = 0; i < 5; i += 1) {
      const { status, body } = await client.request('/');
      expect([status, await body.text()]).toEqual([200, 'welcome']);
    }
    expect(server.badLogins()).toBe(0);
  });

  test('does not send a request twice that may change something', async () => {
    const { origin, opened } = await httpServer((request) => request.socket.destroy());
    await expect(clientFor(origin).request('/', { method: 'POST', body: 'x' })).rejects.toThrow(coded('CONNECTION_LOST'));
    expect(opened()).toBe(1);
  });

  test('lets the next one log in after the first failed', async () => {
    let failures = 2;
    const server = await httpServer((request, response) => {
      failures -= 1;
      if (failures >= 0) request.socket.destroy();
      else response.end('there');
    });
    const client = clientFor(server.origin);
    const [first, second] = await Promise.allSettled([client.request('/'), client.request('/')]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'CONNECTION_LOST' } });
    expect(second).toMatchObject({ status: 'fulfilled', value: { status: 200 } });
  });
});
