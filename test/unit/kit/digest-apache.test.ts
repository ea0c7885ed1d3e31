/** Against a server that is none of ours: Apache's mod_auth_digest. Skipped where Debian's apache2 is not installed. */
import { describe, expect, test } from 'vitest';
import { hasApache, startApache } from './support/apache';
import { clientFor } from './support/login-server';

const LOGIN = { user: 'niño', password: 'contraseña' };
/** No quotes: Apache compares the realm it gets back with its own, still escaped, and refuses every client. */
const SITE = { realm: 'Cámara 1, patio', ...LOGIN };

if (!hasApache) console.warn('apache2 with mod_auth_digest is not installed: its tests are skipped');

describe.skipIf(!hasApache)('Apache', () => {
  test('takes a login with a user and a realm beyond ASCII, and an odd path', async () => {
    const { origin } = await startApache(SITE);
    const client = clientFor(origin, LOGIN);
    for (const path of ['/index.html?codes=[All]', '/index.html?x=a b&n=ñ', '/']) {
      const { status, body } = await client.request(path);
      expect([status, await body.text()]).toEqual([200, 'welcome']);
    }
  });

  test('refuses a wrong password', async () => {
    const { origin } = await startApache(SITE);
    const client = clientFor(origin, { ...LOGIN, password: 'wrong' });
    expect(await client.request('/')).toMatchObject({ status: 401, auth: { scheme: 'digest', refused: true } });
  });

  test.each([1, 6])('counts nonces: 6 requests at once over %d sockets, three times', async (connections) => {
    const { origin } = await startApache({ ...SITE, directives: ['AuthDigestNcCheck On'] });
    const client = clientFor(origin, LOGIN, { connections });
    for (let round = 0; round < 3; round += 1) {
      const statuses = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const { status, body } = await client.request('/');
          await body.dump();
          return status;
        }),
      );
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
    }
  });

  test('with a nonce for each request, which it gives as nextnonce', async () => {
    const { origin } = await startApache({ ...SITE, directives: ['AuthDigestNonceLifetime 0'] });
    const client = clientFor(origin, LOGIN);
    for (let i = 0; i < 4; i += 1) {
      const { status, headers, body } = await client.request('/');
      await body.dump();
      expect(status).toBe(200);
      expect(headers['authentication-info']).toContain('nextnonce=');
    }
  });

  test('with nonces that have grown stale', async () => {
    const { origin } = await startApache({ ...SITE, directives: ['AuthDigestNonceLifetime 1'] });
    const client = clientFor(origin, LOGIN);
    const first = await client.request('/');
    await first.body.dump();
    await new Promise((later) => setTimeout(later, 2_100));
    const second = await client.request('/');
    await second.body.dump();
    expect([first.status, second.status]).toEqual([200, 200]);
  });
});
