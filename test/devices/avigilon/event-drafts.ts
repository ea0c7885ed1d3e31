import { between, pick, type Random } from '../seeded-random';
import type { CountingRule } from './counting-rules';
import type { EventDraft } from './event-log';
import { bytes, type Camera } from './site';

/** Epoch ms. */
interface Span {
  start: number;
  stop: number;
}

/** A rule that fires: START and STOP, both with the name, the object only at START (facts A4 and A-S2). */
export function analyticPair(camera: Pick<Camera, 'id' | 'serverId'>, rule: Omit<CountingRule, 'history'>, { start, stop }: Span, random: Random): [EventDraft, EventDraft] {
  const shared = {
    targetIdsDeprecated: [],
    analyticEventName: rule.name,
    area: '',
    activity: rule.activity,
    cameraId: camera.id,
    cameraIds: [],
    entityIds: [],
    location: 'Unknown',
  };
  const { serverId } = camera;
  const first: EventDraft = {
    serverId,
    type: 'DEVICE_ANALYTICS_START',
    at: start,
    fields: {
      ...shared,
      eventTriggerTime: new Date(start + 381).toISOString(),
      classifiedObjects: [{ subclass: rule.object, objectId: between(random, 1, 99_999_999) }],
    },
  };
  return [first, { serverId, type: 'DEVICE_ANALYTICS_STOP', at: stop, startedBy: first, fields: { ...shared, classifiedObjects: [] } }];
}

export function motionPair({ id, serverId }: Pick<Camera, 'id' | 'serverId'>, { start, stop }: Span, random: Random): [EventDraft, EventDraft] {
  const first: EventDraft = {
    serverId,
    type: 'DEVICE_MOTION_START',
    at: start,
    fields: {
      cameraId: id,
      recordTriggerParams: {
        // A date in one source, nanoseconds in another (facts A4).
        prePostRecordTime: random() < 0.5 ? '1970-01-01T00:00:05.000Z' : 5_000_000_000,
        isPrePost: true,
        triggerJiffy: between(random, 1, 4_000_000_000),
        isTriggerJiffy: true,
      },
    },
  };
  return [first, { serverId, type: 'DEVICE_MOTION_STOP', at: stop, startedBy: first, fields: { cameraId: id } }];
}

/** No camera, no link; `clientIp` is an object after a good login and a string after a bad one (facts A4). */
export function userLogin(serverId: string, at: number, random: Random): EventDraft {
  const userName = pick(random, ['administrator', 'operador', 'nodered']);
  const address = `192.0.2.${between(random, 1, 254)}`;
  if (random() < 0.2) return { serverId, type: 'USER_LOGIN_FAILURE', at, fields: { userName, clientIp: address } };
  return {
    serverId,
    type: 'USER_LOGIN',
    at,
    fields: {
      userName,
      clientId: bytes(random, 16).toString('base64url'),
      clientName: 'ACC Client',
      userUuid: bytes(random, 16).toString('base64url'),
      clientType: 9,
      clientIp: { addrType: 'ADDR_IP_V4', addrIpV4: address },
    },
  };
}
