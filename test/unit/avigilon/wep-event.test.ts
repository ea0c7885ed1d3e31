import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cameraOf, eventId, toCameraEvent, type WepEvent } from '../../../nodes/avigilon/wep-event';
import { asCameraEvent, topicOf } from '../../../nodes/kit/camera-event';

const RECEIVED = Date.UTC(2026, 0, 20, 21);
const CAMERA = '4xIx1DMwMLSwMDUyMLewSNRLTsw1MBASWFrTcl-dw2XC-okhjeq33H8CAA';
const stop: WepEvent = {
  analyticEventName: 'Aforo Entrada Parqueadero Norte',
  area: '',
  activity: 'OBJECT_COUNTING_ENTER',
  cameraId: CAMERA,
  thisId: '32733',
  linkedEventId: '32732',
  timestamp: '2025-11-28T20:15:04.512Z',
  originatingEventId: '32733',
  originatingServerName: 'SULLAH-01',
  type: 'DEVICE_ANALYTICS_STOP',
  originatingServerId: 'pXyE3ycIRJCvkVSBJ9pH-Q',
};
const nameless = (): undefined => undefined;

test('carries the camera, the time of the server and the fields as they came', () => {
  const event = toCameraEvent(stop, RECEIVED, (id) => ({ name: `name of ${id.slice(0, 4)}` }));
  expect(event).toEqual({
    id: eventId(stop),
    source: 'avigilon',
    device: { id: CAMERA, name: 'name of 4xIx' },
    channel: null,
    code: 'DEVICE_ANALYTICS_STOP',
    action: 'stop',
    time: '2025-11-28T20:15:04.512Z',
    timeSource: 'device',
    receivedAt: new Date(RECEIVED).toISOString(),
    data: stop,
  });
  expect(topicOf(event)).toBe(`avigilon/${CAMERA}/DEVICE_ANALYTICS_STOP`);
});

describe('id', () => {
  test('is the same for the same event, whatever else has changed about it, and fits', () => {
    const again = { ...stop, linkedEventId: '-1', location: 'Unknown' };
    expect(eventId(again)).toBe(eventId(stop));
    expect(eventId(stop)).toMatch(/^[\x20-\x7e]{1,64}$/);
  });

  test.each<[string, WepEvent]>([
    ['number', { thisId: '32734' }],
    ['server', { originatingServerId: 'UMooFPEhRpayellyz_q3iA' }],
    ['time, where a server began its numbers anew', { timestamp: '2025-11-28T20:15:04.513Z' }],
    ['type', { type: 'DEVICE_ANALYTICS_START' }],
    ['originating number', { originatingEventId: '1' }],
  ])('differs by %s', (_, change) => {
    expect(eventId({ ...stop, ...change })).not.toBe(eventId(stop));
  });

  test('of events without a number differs by what they say', () => {
    const base = { timestamp: stop.timestamp, type: stop.type };
    expect(eventId({ ...base, cameraId: 'a' })).not.toBe(eventId({ ...base, cameraId: 'b' }));
  });

  test('does not run fields into each other', () => {
    expect(eventId({ thisId: '1', originatingEventId: '23' })).not.toBe(eventId({ thisId: '12', originatingEventId: '3' }));
  });
});

test.each([
  ['DEVICE_ANALYTICS_START', 'start'],
  ['DEVICE_RECORDING_STARTED', 'start'],
  ['DEVICE_DIGITAL_INPUT_ON', 'start'],
  ['DEVICE_LPR_PLATE_FOUND', 'start'],
  ['DEVICE_ANALYTICS_STOP', 'stop'],
  ['DEVICE_PRESENCE_DWELL_STOPPED', 'stop'],
  ['DEVICE_DIGITAL_INPUT_OFF', 'stop'],
  ['DEVICE_LPR_PLATE_LOST', 'stop'],
  ['DEVICE_LPR_PLATE_UPDATE', 'update'],
  ['DEVICE_VIDEO_SIGNAL_LOST', 'pulse'],
  ['DEVICE_COMMUNICATION_LOST', 'pulse'],
  ['DEVICE_LPR_MATCH', 'pulse'],
  ['USER_LOGIN', 'pulse'],
])('%s is a %s', (type, action) => {
  expect(toCameraEvent({ ...stop, type }, RECEIVED, nameless).action).toBe(action);
});

describe('device', () => {
  test.each<[string, WepEvent, object]>([
    ['of a digital input is its camera', { cameraId: undefined, entityId: 'din00', cameraIds: [CAMERA] }, { id: CAMERA }],
    ['of a digital input without a camera is the input', { cameraId: null, entityId: 'din00', cameraIds: [] }, { id: 'din00' }],
    ['of a user event is the server', { cameraId: undefined }, { id: 'pXyE3ycIRJCvkVSBJ9pH-Q', name: 'SULLAH-01' }],
    ['of an event that names nothing is unknown', { cameraId: undefined, originatingServerId: null, originatingServerName: null }, { id: 'unknown' }],
  ])('%s', (_, change, device) => {
    expect(toCameraEvent({ ...stop, ...change }, RECEIVED, nameless).device).toEqual(device);
  });

  test('a list of cameras that is no list names none', () => {
    expect(cameraOf({ cameraIds: 'a' })).toBeUndefined();
  });
});

test.each([['microseconds', '2026-01-20T20:15:04.512345Z', '2026-01-20T20:15:04.512Z'], ['an offset', '2026-01-20T15:15:04.512-05:00', '2026-01-20T20:15:04.512Z']])(
  'understands times with %s',
  (_, timestamp, time) => {
    expect(toCameraEvent({ ...stop, timestamp }, RECEIVED, nameless)).toMatchObject({ time, timeSource: 'device' });
  },
);

test('anything that a server may send becomes a CameraEvent: null names, missing times, other types', () => {
  const known = Object.fromEntries(Object.keys(stop).map((key) => [key, fc.option(fc.oneof(fc.constant(stop[key]), fc.jsonValue()))]));
  fc.assert(
    fc.property(fc.record(known, { requiredKeys: [] }), (event) => {
      const made = toCameraEvent(event, RECEIVED, nameless);
      expect(asCameraEvent(structuredClone(made))).toEqual(made);
      expect(made.data).toBe(event);
    }),
  );
});
