import { between, pick, type Random } from '../seeded-random';
import { eventBody, type DahuaEvent } from './framing';
import { plainUtc, timeFields, type TimeStyle } from './payload-clock';
import { JsonLiteral, styledJson, type DahuaObject } from './styled-json';

export interface SceneOptions {
  clock: { now(): number };
  random: Random;
  /** Default: true UTC and nothing else. */
  time?: Partial<TimeStyle>;
}

export type ObjectType = 'Human' | 'Vehicle' | 'Unknown' | 'Smoke';
type Side = 'Start' | 'Stop';

/** Somebody or something that is seen several times: its ids stay, its box moves. */
export interface Track {
  objectId: number;
  groupId: number;
  objectType: ObjectType;
}

/** Names in the bytes of three charsets: "Câmara" (latin-1 and UTF-8) and "east gate" in Chinese (GB18030 and UTF-8). */
export const NAME_BYTES = {
  latin1: Buffer.from('Câmara', 'latin1'),
  utf8: Buffer.from('Câmara'),
  gb18030: Buffer.from('b6abc3c5', 'hex'),
  utf8Chinese: Buffer.from('东门'),
} as const;

/** Rule names that break naive splitting (facts A3). */
export const AWKWARD_NAMES = ['Gate;action=Stop;index=9', 'cnVsZQ==;data={', '--myboundary', 'a "quoted" \\ name'] as const;

/**
 * Payloads with the shapes of facts A3 to A5. Grid coordinates 0..8191. Ids count up from the same numbers in every new instance;
 * everything else comes from the random source and the clock given. All plates and persons are invented.
 */
export class Scenes {
  private eventId = 10_000;
  private groupId = 500;
  private objectId = 70_000;
  private frames = 2_000_000;
  private readonly time: TimeStyle;

  constructor(private readonly options: SceneOptions) {
    this.time = { ...plainUtc, ...options.time };
  }

  track(objectType: ObjectType): Track {
    return { objectId: (this.objectId += 1), groupId: (this.groupId += 1), objectType };
  }

  motion(side: Side, index = 0, smart = true): DahuaEvent {
    return event('VideoMotion', side, index, { Id: [0], RegionName: ['Region1'], SmartMotionEnable: smart });
  }

  /** As old firmware sends it. */
  bareMotion(side: Side, index = 0): DahuaEvent {
    return event('VideoMotion', side, index);
  }

  /** Noise: every few seconds from an IPC that is asked for all codes (facts A5). */
  motionInfo(index = 0): DahuaEvent {
    return event('VideoMotionInfo', 'State', index);
  }

  crossLine(side: Side, index = 0, track = this.track('Human'), name = 'Line1'): DahuaEvent {
    return event('CrossLineDetection', side, index, {
      ...this.ivs(track, name),
      Direction: pick(this.options.random, ['LeftToRight', 'RightToLeft']),
      DetectLine: [[1200, 4096], [6900, 4100]],
    });
  }

  crossRegion(side: Side, index = 0, track = this.track('Human'), name = 'Area1'): DahuaEvent {
    return event('CrossRegionDetection', side, index, {
      ...this.ivs(track, name),
      Action: pick(this.options.random, ['Appear', 'Cross', 'Inside']),
      Direction: pick(this.options.random, ['Enter', 'Leave']),
      DetectRegion: [[55, 97], [8082, 97], [8136, 8191], [0, 8118], [55, 97]],
    });
  }

  /** IPC: lower-case `object` array with `Rect`. The misspelt key is the device's. */
  smartMotion(who: 'Human' | 'Vehicle', side: Side, index = 0): DahuaEvent {
    const id = between(this.options.random, 1, 40);
    const seen = { Rect: this.box(), ...(who === 'Human' ? { HumamID: id } : { VehicleID: id }) };
    return event(`SmartMotion${who}`, side, index, { RegionName: ['Area1'], WindowId: [0], object: [seen] });
  }

  /** XVR: no data at all. */
  bareSmartMotion(who: 'Human' | 'Vehicle', side: Side, index = 0): DahuaEvent {
    return event(`SmartMotion${who}`, side, index);
  }

  /** `input` is the alarm input, not a channel (facts A1). */
  alarm(side: Side, input = 0): DahuaEvent {
    return event('AlarmLocal', side, input);
  }

  trafficJunction(index = 0, plate = this.plate()): DahuaEvent {
    const track = this.track('Vehicle');
    const speed = between(this.options.random, 12, 64);
    const box = this.box();
    return event('TrafficJunction', 'Pulse', index, {
      ...this.identity(track),
      Class: 'Traffic',
      Name: 'TrafficTollGate0',
      Lane: between(this.options.random, 0, 2),
      JunctionDirection: 'Obverse',
      Speed: speed,
      CommInfo: { Country: null, ExtraPlates: null, SnapCategory: 'Motor' },
      NonMotor: null,
      Object: { ...this.object(track, box), ObjectType: 'Plate', Text: plate },
      Vehicle: { ...this.object(track, box), Category: 'SaloonCar', Text: 'Unknown' },
      TrafficCar: {
        PlateNumber: plate,
        PlateColor: 'White',
        PlateType: 'Normal',
        VehicleColor: pick(this.options.random, ['White', 'Black', 'Gray', 'Red']),
        Speed: speed,
        MachineName: '9Z00FAKEPAG0001',
        MachineGroup: '',
        MachineAddress: '',
        DeviceAddress: 'Plaza Norte',
      },
    });
  }

  /** A face, with the fields of a recognised person (facts A5, A7). */
  face(index = 0): DahuaEvent {
    const track = this.track('Human');
    const face = { BoundingBox: this.box(), ObjectID: track.objectId, ObjectType: 'HumanFace', RelativeID: 0 };
    return event('FaceDetection', 'Pulse', index, {
      ...this.identity(track),
      Class: 'FaceDetection',
      Name: 'FaceDetection',
      Faces: [face],
      Object: { ...face, Confidence: 19 },
      Objects: [{ ...face, Confidence: 19 }],
      Candidates: [
        {
          Person: { ID: '0000FAKE', Name: 'Fulana de Tal', Sex: 'Female', Birthday: '1900-01-01' },
          Similarity: between(this.options.random, 60, 99),
        },
      ],
      SnapPath: '/var/tmp/fake-face.jpg',
    });
  }

  /** Repeats another event whole under `Data` (facts A3, A4: one crossing several times). */
  newFile(of: DahuaEvent, plate?: string): DahuaEvent {
    const time = new Date(this.options.clock.now()).toISOString();
    const stamp = time.replace(/\D/g, '').slice(0, 14);
    const name = plate === undefined ? `${stamp}.jpg` : `${plate}-${stamp}-plate.jpg`;
    return event('NewFile', 'Pulse', of.index ?? 0, {
      ...(of.data !== undefined && !Buffer.isBuffer(of.data) ? { Data: of.data } : {}),
      Event: of.code,
      File: `/mnt/sd/${time.slice(0, 10)}/001/jpg/${name}`,
      Index: of.index ?? 0,
      Size: between(this.options.random, 30_000, 300_000),
      StoragePoint: 'NULL',
    });
  }

  accessControl(door = 0): DahuaEvent {
    return event('AccessControl', 'Pulse', door, {
      ...timeFields(this.options.clock.now(), this.time),
      CardName: 'Mengano Ficticio',
      CardNo: '00FA4E00',
      Door: door,
      ErrorCode: 0,
      Method: 15,
      Password: '',
      ReaderID: '1',
      Similarity: between(this.options.random, 80, 99),
      Status: 1,
      Type: 'Entry',
      URL: '/var/tmp/fake-door.jpg',
      UserID: 'FAKE0001',
    });
  }

  /** As a face terminal sends it: no time, `/` escaped, a lower-case key among the others. */
  doorFace(door = 0): DahuaEvent {
    return event('_DoorFace_', 'Pulse', door, {
      Alive: 100,
      Door: door,
      FeatureId: 1,
      OpenDoorMethod: 3,
      Similarity: between(this.options.random, 80, 99),
      SnapPath: '/var/tmp/fakesnap1.jpg',
      UserID: 'FAKE0001',
      readID: 1,
    });
  }

  /** A line crossing whose rule name has these bytes (`NAME_BYTES`), whatever charset they are. */
  namedInBytes(name: Buffer, index = 0): DahuaEvent {
    const marker = '@NAME@';
    const { data } = this.crossLine('Start', index, this.track('Human'), marker);
    const bytes = Buffer.from(styledJson(data as DahuaObject));
    const at = bytes.indexOf(marker);
    const joined = Buffer.concat([bytes.subarray(0, at), name, bytes.subarray(at + marker.length)]);
    return { code: 'CrossLineDetection', action: 'Start', index, data: joined };
  }

  /** Its JSON ends after `keep` bytes, or half-way (facts A3). */
  truncated(of: DahuaEvent, keep?: number): DahuaEvent {
    const body = eventBody(of);
    const json = body.subarray(body.indexOf(';data=') + ';data='.length);
    return { ...of, data: json.subarray(0, keep ?? Math.floor(json.length / 2)) };
  }

  /** Four digits and three vowels: no such plate is issued. */
  plate(): string {
    const vowel = (): string => pick(this.options.random, ['A', 'E', 'I', 'O', 'U']);
    return `${String(between(this.options.random, 0, 9999)).padStart(4, '0')}${vowel()}${vowel()}${vowel()}`;
  }

  private ivs(track: Track, name: string): DahuaObject {
    return { ...this.identity(track), Class: 'Normal', Name: name, Object: this.object(track, this.box()), Track: null };
  }

  /** Ids, counters and times every analytics event has. */
  private identity(track: Track): DahuaObject {
    return {
      CountInGroup: 1,
      EventID: (this.eventId += 1),
      EventSeq: this.eventId % 256,
      FrameSequence: (this.frames += between(this.options.random, 1, 25)),
      GroupID: track.groupId,
      PTS: new JsonLiteral(`${this.frames * 40}.0`),
      RuleId: 1,
      ...timeFields(this.options.clock.now(), this.time),
    };
  }

  private object(track: Track, box: number[]): DahuaObject {
    const [left = 0, top = 0, right = 0, bottom = 0] = box;
    return {
      Action: 'Appear',
      BelongID: 0,
      BoundingBox: box,
      Center: [(left + right) >> 1, (top + bottom) >> 1],
      Confidence: 0,
      ObjectID: track.objectId,
      ObjectType: track.objectType,
      RelativeID: 0,
      Speed: 0,
    };
  }

  /** left, top, right, bottom. */
  private box(): number[] {
    const left = between(this.options.random, 0, 7000);
    const top = between(this.options.random, 0, 6500);
    return [left, top, left + between(this.options.random, 100, 1191), top + between(this.options.random, 200, 1691)];
  }
}

function event(code: string, action: string, index: number, data?: DahuaObject): DahuaEvent {
  return data === undefined ? { code, action, index } : { code, action, index, data };
}

/** One event of each kind above, for tests that want them all. */
export function oneOfEach(scenes: Scenes): DahuaEvent[] {
  const plate = scenes.plate();
  const car = scenes.trafficJunction(0, plate);
  return [
    scenes.motion('Start'),
    scenes.bareMotion('Stop', 3),
    scenes.motionInfo(),
    scenes.crossLine('Start'),
    scenes.crossRegion('Start'),
    scenes.smartMotion('Human', 'Start'),
    scenes.smartMotion('Vehicle', 'Start'),
    scenes.bareSmartMotion('Human', 'Start', 2),
    scenes.alarm('Start', 1),
    car,
    scenes.newFile(car, plate),
    scenes.face(),
    scenes.accessControl(),
    scenes.doorFace(),
    ...AWKWARD_NAMES.map((name) => scenes.crossLine('Start', 0, scenes.track('Human'), name)),
    ...Object.values(NAME_BYTES).map((name) => scenes.namedInBytes(name)),
    scenes.truncated(scenes.crossRegion('Start')),
  ];
}
