import { describe, expect, test } from 'vitest';
import { readRequest } from '../../../nodes/avigilon/source-request';

const AT = Date.UTC(2026, 0, 20, 21);

test.each<[string, object]>([
  ['in the payload, as event-schedule sends it', { payload: { action: 'start', eventName: 'Final', from: '2026-01-20T16:00:00-05:00', to: '2026-01-20T22:00:00.000Z' } }],
  ['in the message itself', { action: 'start', eventName: 'Final', from: AT, to: new Date(AT + 3_600_000), payload: 'anything' }],
])('%s', (_, msg) => {
  expect(readRequest(msg)).toEqual({ eventName: 'Final', from: AT, to: AT + 3_600_000 });
});

test('everything may be left out, or null', () => {
  expect(readRequest({ payload: { action: 'start' } })).toEqual({});
  expect(readRequest({ payload: { action: 'start', eventName: null, from: null, to: null } })).toEqual({});
});

describe('is not understood', () => {
  test.each<[string, object, RegExp]>([
    ['a time without zone', { from: '2026-01-20T16:00:00' }, /from.*zone/],
    ['words', { from: 'yesterday' }, /from/],
    ['the end before the beginning', { from: AT, to: AT - 1 }, /from must be before to/],
    ['a name that is no text', { eventName: 5 }, /eventName/],
  ])('%s', (_, more, text) => {
    expect(() => readRequest({ payload: { action: 'start', ...more } })).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE', message: expect.stringMatching(text) as string }));
  });
});
