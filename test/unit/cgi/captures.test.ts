import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../devices/dahua/capture';
import { byteByByte, cut, read, type Reading } from './support/stream-reading';

const folder = join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'captures', 'dahua');
const present = existsSync(folder);
if (!present) console.warn(`captures: skipped, ${folder} is absent`);

const bytesOf = (name: string): Buffer => readCapture(join(folder, name));

/** The capture's own reading, after seeing that it does not depend on the chunks. */
function readAnyhow(bytes: Buffer): Reading {
  const whole = read([bytes]);
  expect(read(byteByByte(bytes)).reports).toEqual(whole.reports);
  expect(read(cut(bytes, [7, 31, 2])).reports).toEqual(whole.reports);
  expect(whole).toMatchObject({ malformed: 0, tooLarge: 0 });
  return whole;
}

const readName = (name: string): Reading => readAnyhow(bytesOf(name));
const kinds = (reading: Reading): string[] =>
  reading.events.map(({ code, action, index }) => `${code} ${action} ${index}`);
const counted = (reading: Reading): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const kind of kinds(reading)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
};

describe.skipIf(!present)('captured streams', () => {
  it('01: ten events between heartbeats, CRLF inside the JSON', () => {
    const reading = readName('01-amcrest-motion-heartbeats.txt');
    expect(kinds(reading)).toEqual([
      'VideoMotionInfo State 0',
      'VideoMotion Start 0',
      'VideoMotionInfo State 0',
      'VideoMotion Stop 0',
      'VideoMotionInfo State 0',
      'VideoMotion Start 0',
      'VideoMotionInfo State 0',
      'VideoMotionInfo State 0',
      'VideoMotionInfo State 0',
      'VideoMotion Stop 0',
    ]);
    for (const event of reading.events.filter(({ code }) => code === 'VideoMotion')) {
      expect(event.data).toEqual({ Id: [0], RegionName: ['Area1'], SmartMotionEnable: false });
    }
  });

  it('02: SmartMotionVehicle with its lower-case object array', () => {
    const reading = readName('02-amcrest-smartmotion-vehicle.txt');
    expect(kinds(reading)).toEqual([
      'SmartMotionVehicle Start 0',
      'VideoMotion Start 0',
      'VideoMotionInfo State 0',
      'VideoMotionInfo State 0',
    ]);
    expect(reading.events[0]?.data).toMatchObject({ object: [{ Rect: [3888, 744, 4240, 1136], VehicleID: 2 }] });
  });

  it.each([
    ['03-data-facedetection.json', 'FaceDetection', 'Pulse', { UTC: 947510337 }],
    ['04-data-crossregion-human.json', 'CrossRegionDetection', 'Start', { Object: { ObjectType: 'Human' } }],
    ['05-data-smartmotion-vehicle.json', 'SmartMotionVehicle', 'Start', {}],
  ])('%s: the payload comes through as the data of an event', (name, code, action, some) => {
    const data = bytesOf(name);
    const reading = readAnyhow(Buffer.concat([Buffer.from(`Code=${code};action=${action};index=0;data=`), data]));
    expect(kinds(reading)).toEqual([`${code} ${action} 0`]);
    expect(reading.events[0]?.data).toEqual(JSON.parse(data.toString()));
    expect(reading.events[0]?.data).toMatchObject(some);
  });

  it('06: 38 events one after another without any framing', () => {
    const reading = readName('06-ivs-session-no-framing.txt');
    expect(reading.events).toHaveLength(38);
    expect(reading.events.every(({ data }) => data !== undefined)).toBe(true);
    expect(counted(reading)).toMatchObject({ 'VideoMotion Start 1': 11, 'VideoMotion Stop 1': 11 });
    const file = reading.events.find(({ code }) => code === 'NewFile');
    expect(file?.data).toMatchObject({ File: expect.stringContaining('/') });
  });

  it('07, 08: events joined to one line', () => {
    const region = readName('07-cameraevents-crossregion-singleline.txt');
    expect(kinds(region)).toEqual(['CrossRegionDetection Start 1']);
    expect(region.events[0]?.data).toMatchObject({ UTC: 1548929098, Class: 'Normal' });
    const crossing = readName('08-cameraevents-crossline-singleline.txt');
    expect(crossing.events).toHaveLength(1);
    expect(crossing.events[0]?.data).toMatchObject({ Direction: 'RightToLeft', Object: { ObjectType: 'Smoke' } });
  });

  it('09: a part without blank line that ends with its last byte', () => {
    const reading = readName('09-cameraevents-noblankline-part.txt');
    expect(kinds(reading)).toEqual(['VideoMotion Start 1']);
  });

  it('10: a TrafficJunction object as CGI sends it after data=', () => {
    const message = JSON.parse(
      bytesOf('10-rpc2-trafficjunction-nonmotor.json').toString().replace(/\}\s*"session"/, '}, "session"'),
    );
    const data: unknown = message.params.eventList[0].Data;
    const text = `Code=TrafficJunction;action=Pulse;index=0;data=${JSON.stringify(data, null, 3)}\n`;
    const reading = readAnyhow(Buffer.from(text));
    expect(kinds(reading)).toEqual(['TrafficJunction Pulse 0']);
    expect(reading.events[0]?.data).toEqual(data);
    expect(reading.events[0]?.data).toMatchObject({ UTC: 1706625295, RealUTC: 1706600095 });
  });

  it.each(['20-ipc-hdw5442-heartbeats-motion.txt', 'reconstructed/20-wire.bin'])(
    '%s: motion and its info among heartbeats, lengths without a blank',
    (name) => {
      const reading = readName(name);
      expect(counted(reading)).toEqual({
        'VideoMotionInfo State 0': 6,
        'VideoMotion Start 0': 1,
        'VideoMotion Stop 0': 1,
      });
      expect(reading.events.find(({ action }) => action === 'Stop')?.data).toMatchObject({ RegionName: ['Region1'] });
    },
  );

  it.each(['22-amcrest-2016-spaced-boundary-noblank.txt', 'reconstructed/22-wire.bin'])(
    '%s: a blank in the boundary and none before the body',
    (name) => {
      const motion = ['VideoMotion Start 0', 'VideoMotion Stop 0'];
      expect(kinds(readName(name))).toEqual([...motion, ...motion]);
    },
  );

  it('25: response headers in the stream are no event', () => {
    expect(readName('25-response-headers-nvr.txt').reports).toEqual([]);
  });

  it.each(['27-babycam-regionname.txt', 'reconstructed/27-wire.bin'])('%s: lengths that count the last LF', (name) => {
    const reading = readName(name);
    expect(kinds(reading)).toEqual(['VideoMotion Start 0', 'VideoMotion Stop 0', 'VideoMotion Start 0']);
    expect(reading.events.map(({ data }) => data)).toEqual(Array(3).fill({ RegionName: ['Region1'] }));
  });

  it('30: four events without data, then one whose data are cut', () => {
    const reading = readName('30-xvr-smartmotion-nodata.txt');
    expect(kinds(reading)).toEqual([
      'SmartMotionHuman Start 2',
      'SmartMotionHuman Stop 2',
      'SmartMotionVehicle Start 2',
      'SmartMotionVehicle Stop 2',
      'VideoMotion Stop 1',
    ]);
    expect(reading.events.map(({ raw }) => raw?.replace(/\s+/g, ' '))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      '{ "SmartMotionEn',
    ]);
    expect(reading.events[4]?.data).toBeUndefined();
  });

  it('32: a code with underscores, slashes escaped', () => {
    const reading = readName('32-doorface.txt');
    expect(kinds(reading)).toEqual(['_DoorFace_ Pulse 0']);
    expect(reading.events[0]?.data).toMatchObject({ SnapPath: '/var/tmp/partsnap7.jpg', Similarity: 98 });
  });

  it('34: a heartbeat without blank line does not lend its length to the event', () => {
    expect(kinds(readName('34-heartbeat-noblank-then-event.bin'))).toEqual(['CrossLineDetection Start 0']);
  });

  it('35: a wrong length, then no length at all', () => {
    expect(kinds(readName('35-header-shape-3-line.bin'))).toEqual(['VideoMotion Start 0', 'CrossLineDetection Start 1']);
  });

  it("36: the vendor document's own sample", () => {
    const printed = readFileSync(join(folder, '36-vendor-doc-sample.txt'), 'latin1').replace(/^[^]*^#!RAW\r?\n/m, '');
    const wire = Buffer.from(printed.replace(/\n/g, '').replaceAll('\\r\\n', '\r\n'), 'latin1');
    expect(kinds(readAnyhow(wire))).toEqual(['VideoMotion Start 0', 'VideoBlind Start 0']);
  });

  it('37: snapManager lines open no event of eventManager', () => {
    expect(readName('37-snapmanager-accesscontrol.txt').reports).toEqual([]);
  });

  it('47: six bare lines, alarm inputs among them', () => {
    const reading = readName('47-alarm-and-oldfw-nodata.txt');
    expect(kinds(reading)).toEqual([
      'AlarmLocal Start 0',
      'AlarmLocal Stop 0',
      'AlarmLocal Start 1',
      'AlarmLocal Stop 1',
      'CrossLineDetection Start 0',
      'CrossLineDetection Stop 0',
    ]);
    expect(reading.events.every(({ data, raw, text }) => data === undefined && raw === undefined && text === '')).toBe(true);
  });
});
