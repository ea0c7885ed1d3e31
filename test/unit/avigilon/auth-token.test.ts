import { expect, test } from 'vitest';
import { authorizationToken } from '../../../nodes/avigilon/auth-token';

test('is nonce, seconds and the hash of seconds and key (facts A-S1)', () => {
  const token = authorizationToken({ nonce: 'myusernonce', key: 'secretkey', integrationId: '' }, 1530726298);
  expect(token).toBe('myusernonce:1530726298:080631341ec66abebdd507cdba1c2169527b7d105eafe74479dc5081b57f2b2a');
});

test('keeps the case of the nonce and adds the integration id where there is one', () => {
  expect(authorizationToken({ nonce: 'AbC', key: 'K', integrationId: 'Int-1' }, 1)).toMatch(/^AbC:1:[0-9a-f]{64}:Int-1$/);
});
