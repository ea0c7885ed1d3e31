import { describe, expect, test } from 'vitest';
import { serverAddress } from '../../../nodes/avigilon/server-address';

const API = '/mt/api/rest/v1';

test.each([
  ['192.0.2.1', 'https://192.0.2.1:8443', API],
  ['acc.local:443', 'https://acc.local:443', API],
  ['https://acc.local', 'https://acc.local:8443', API],
  ['https://acc.local:443/', 'https://acc.local:443', API],
  ['HTTPS://ACC.local:8443/mt/api/rest/v1/', 'https://acc.local:8443', API],
  ['http://192.0.2.1', 'http://192.0.2.1:8080', API],
  ['http://192.0.2.1:80', 'http://192.0.2.1:80', API],
  ['https://proxy.example:8443/acc', 'https://proxy.example:8443', `/acc${API}`],
  ['[2001:db8::1]', 'https://[2001:db8::1]:8443', API],
  ['https://[2001:db8::1]:9000', 'https://[2001:db8::1]:9000', API],
])('%s', (given, origin, basePath) => {
  expect(serverAddress(given)).toMatchObject({ origin, basePath });
});

describe('is refused', () => {
  test.each(['', 'ftp://acc.local', 'https://user:secret@acc.local', 'acc.local?x=1', 'https://acc.local/#a', 'https://', 'acc local'])('%j', (given) => {
    expect(() => serverAddress(given)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', field: 'url' }));
  });
});
