import { expect, test } from 'vitest';
import { actionOf } from '../../../nodes/kit/message';

test.each<[object, string | undefined]>([
  [{ payload: { action: 'Retry' } }, 'retry'],
  [{ action: 'STOP', payload: 'x' }, 'stop'],
  [{ payload: { action: 5 } }, undefined],
  [{ payload: null }, undefined],
  [{}, undefined],
  [{ payload: { source: 'cgi', code: 'VideoMotion', action: 'stop' } }, undefined],
])('%j', (msg, expected) => {
  expect(actionOf(msg)).toBe(expected);
});
