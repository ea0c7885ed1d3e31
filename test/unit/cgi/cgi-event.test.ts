import { expect, test } from 'vitest';
import { CgiEvents } from '../../../nodes/cgi/cgi-event';
import type { EventLine } from '../../../nodes/cgi/event-line';
import { asCameraEvent } from '../../../nodes/kit/camera-event';

const received = Date.UTC(2026, 5, 1, 20);
const line = (changes: Partial<EventLine> = {}): EventLine => ({
  code: 'CrossLineDetection',
  action: 'Start',
  index: 0,
  data: { UTC: received / 1000, EventID: 7 },
  raw: undefined,
  text: `{"UTC":${received / 1000},"EventID":7}`,
  ...changes,
});

test('is a CameraEvent by its own schema', () => {
  expect(asCameraEvent(new CgiEvents({ id: 'd', address: '10.0.0.1' }).from(line(), received))).toMatchObject({ action: 'start', channel: 0 });
});

test('the same occurrence read again, by another reader, later, has the same id', () => {
  const first = new CgiEvents({ id: 'd' }).from(line(), received);
  expect(new CgiEvents({ id: 'd' }).from(line(), received + 5000).id).toBe(first.id);
});

test.each<[string, Partial<EventLine>]>([
  ['action', { action: 'Stop' }],
  ['code', { code: 'CrossRegionDetection' }],
  ['channel', { index: 1 }],
  ['data', { text: `{"UTC":${received / 1000},"EventID":8}` }],
])('another %s is another id', (_, changes) => {
  const events = new CgiEvents({ id: 'd' });
  expect(events.from(line(changes), received).id).not.toBe(events.from(line(), received).id);
});

test('another device is another id', () => {
  expect(new CgiEvents({ id: 'a' }).from(line(), received).id).not.toBe(new CgiEvents({ id: 'b' }).from(line(), received).id);
});

test('events that tell no time are told apart even in one millisecond', () => {
  const events = new CgiEvents({ id: 'd' });
  const bare = line({ data: undefined, text: '' });
  expect(events.from(bare, received).id).not.toBe(events.from(bare, received).id);
});

test('events share nothing that a flow could change', () => {
  const events = new CgiEvents({ id: 'd' });
  const first = events.from(line(), received);
  first.device.id = 'changed';
  expect(events.from(line(), received).device.id).toBe('d');
});

test('raw goes along where data could not be parsed', () => {
  const event = new CgiEvents({ id: 'd' }).from(line({ data: undefined, raw: '{"UTC":' }), received);
  expect(event).toMatchObject({ data: {}, raw: '{"UTC":' });
});
